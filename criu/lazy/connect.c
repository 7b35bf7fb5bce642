// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/connect.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "image/reader.h"
#include "inventory.pb-c.h"
#include "lazy/lazy.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define NAME_PREFIX "criu-restore/"
/* How a daemon that greets names its socket: the same file, but the kernel hands on the text. */
#define GREETING_NAME "/./" LAZY_SOCKET
/* And one that also supplies pages of older images which are not marked as lazy in the entries that refer to them. */
#define LISTENER_NAME "/." GREETING_NAME

int lazy_identity(const struct options *opts, struct image_store *dir, char ret_id[static LAZY_ID_SIZE])
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	struct stat st;
	int err = image_read_single(dir, IMAGE_INVENTORY, 0, &entry);

	if (err)
		return fail(err, "%s", image_store_error(dir));
	if (entry->dump_criu_run_id && *entry->dump_criu_run_id) {
		snprintf(ret_id, LAZY_ID_SIZE, "%s", entry->dump_criu_run_id);
		return 0;
	}
	/* Images of older programs. */
	if (fstat(opts->images_dir_fd, &st) < 0)
		return fail(-errno, "the images directory %s", opts->images_dir);
	snprintf(ret_id, LAZY_ID_SIZE, "%lx:%lx", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
	return 0;
}

static void socket_address(const struct options *opts, const char *name, struct sockaddr_un *ret)
{
	char dir[PROC_FD_NAME_MAX];

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s%s", proc_fd_path(dir, opts->work_dir_fd), name);
}

static int bind_name(int sock, const char *id)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint64_t number;
	int len;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -errno;
	len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, NAME_PREFIX "%s/%016lx", id, number);
	if (len < 0 || (size_t)len >= sizeof(name.sun_path) - 1)
		return -ENAMETOOLONG;
	len += (int)offsetof(struct sockaddr_un, sun_path) + 1;
	return bind(sock, (struct sockaddr *)&name, (socklen_t)len) < 0 ? -errno : 0;
}

/* CRIU's daemon does not, nor does one of an older version of this program. */
static struct lazy_peer peer_of(int sock)
{
	const size_t greets = strlen(GREETING_NAME), inherits = strlen(LISTENER_NAME);
	struct sockaddr_un peer = { 0 };
	socklen_t len = sizeof(peer);
	const char *end;
	size_t n;

	if (getpeername(sock, (struct sockaddr *)&peer, &len))
		return (struct lazy_peer){ 0 };
	n = strnlen(peer.sun_path, sizeof(peer.sun_path));
	end = peer.sun_path + n;
	return (struct lazy_peer){ .greets = n >= greets && !memcmp(end - greets, GREETING_NAME, greets),
				   .inherits = n >= inherits && !memcmp(end - inherits, LISTENER_NAME, inherits) };
}

/* -EAGAIN: too many others wait to be accepted. */
static int connect_once(int sock, const struct options *opts)
{
	struct sockaddr_un to;
	int flags;

	socket_address(opts, "/" LAZY_SOCKET, &to);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return -EAGAIN;
		return errno == ENOENT || errno == ECONNREFUSED ? -ENOENT : fail(-errno, "connect to " LAZY_SOCKET);
	}
	flags = fcntl(sock, F_GETFL);
	return flags < 0 || fcntl(sock, F_SETFL, flags & ~O_NONBLOCK) < 0 ? fail(-errno, "fcntl") : 0;
}

int lazy_connect(const struct options *opts, const char *id, struct lazy_peer *ret_peer)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer;
	int err;

	if (sock < 0)
		return fail(-errno, "socket");
	err = bind_name(sock, id);
	if (err)
		return fail(err, "name the socket of a restore");
	err = connect_once(sock, opts);
	if (err)
		return err;
	/* It gets the memory of the tree. */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) < 0 ||
	    (peer.uid && peer.uid != geteuid()))
		return fail(-EPERM, "connect to " LAZY_SOCKET);
	*ret_peer = peer_of(sock);
	return steal_fd(&sock);
}

/* In the work directory, where a daemon that was killed may have left a socket. */
int lazy_listen(const struct options *opts)
{
	struct sockaddr_un at;
	struct stat st;
	mode_t mask;
	int sock, err;

	if (!fstatat(opts->work_dir_fd, LAZY_SOCKET, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		unlinkat(opts->work_dir_fd, LAZY_SOCKET, 0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return fail(-errno, "socket");
	socket_address(opts, LISTENER_NAME, &at);
	/* Whoever connects gets the memory of the tree. */
	mask = umask(0077);
	/* The kernel says who has sent a descriptor. */
	setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	err = bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(sock, 10) < 0 ? -errno : 0;
	umask(mask);
	if (!err)
		return sock;
	close(sock);
	return fail(err, "listen on " LAZY_SOCKET " in the work directory");
}

/* False: the name is none of a restore of ours. */
static bool parse_name(const struct sockaddr_un *name, socklen_t len, char ret_id[static LAZY_ID_SIZE])
{
	const size_t head = offsetof(struct sockaddr_un, sun_path) + 1, prefix = sizeof(NAME_PREFIX) - 1;
	const char *text = name->sun_path + 1, *end;

	if (len < head + prefix || name->sun_path[0] || memcmp(text, NAME_PREFIX, prefix))
		return false;
	len -= (socklen_t)(head + prefix);
	text += prefix;
	end = memchr(text, '/', len);
	if (!end || end - text >= LAZY_ID_SIZE)
		return false;
	snprintf(ret_id, LAZY_ID_SIZE, "%.*s", (int)(end - text), text);
	return true;
}

static void refuse(const struct lazy_client *client, const char *why)
{
	if (client->waits)
		send(client->sock, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(client->sock);
}

static int refuse_other(const struct lazy_client *client, const char *id, const char *theirs)
{
	char text[256];

	snprintf(text, sizeof(text), "it supplies the memory of the dump %s, not that of the one to be restored, %s",
		 id, theirs);
	log_error("lazy pages: a restore of other images is refused: those of the dump %s, not %s", theirs, id);
	refuse(client, text);
	return -EAGAIN;
}

int lazy_accept(int listener, const char *id, struct lazy_client *ret)
{
	struct sockaddr_un name = { 0 };
	socklen_t len = sizeof(name);
	char theirs[LAZY_ID_SIZE];
	struct ucred peer;
	int sock = accept4(listener, (struct sockaddr *)&name, &len, SOCK_CLOEXEC);

	if (sock < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? -EAGAIN : fail(-errno, "accept");
	*ret = (struct lazy_client){ .sock = sock, .waits = parse_name(&name, len, theirs) };
	if (ret->waits && strcmp(id, theirs))
		return refuse_other(ret, id, theirs);
	if (!getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		ret->tool = peer.pid;
	return 0;
}

int lazy_refuse_all(int listener, const char *id, const char *why)
{
	struct pollfd in = { .fd = listener, .events = POLLIN };
	struct lazy_client client;

	while (poll(&in, 1, 0) > 0) {
		int err = lazy_accept(listener, id, &client);

		if (err == -EAGAIN)
			continue;
		if (err)
			return err;
		log_warn("lazy pages: a restore is refused: %s", why);
		refuse(&client, why);
	}
	return 0;
}

int lazy_greet(const struct lazy_client *client)
{
	if (client->waits && send(client->sock, "", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}
