// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/connect.h"
#include <errno.h>
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

static void socket_address(const struct options *opts, struct sockaddr_un *ret)
{
	char dir[PROC_FD_NAME_MAX];

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/" LAZY_SOCKET, proc_fd_path(dir, opts->work_dir_fd));
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

/* That of CRIU binds its socket to a relative name. */
static bool is_ours(int sock)
{
	struct sockaddr_un name = { 0 };
	socklen_t len = sizeof(name);

	return !getpeername(sock, (struct sockaddr *)&name, &len) && name.sun_path[0] == '/';
}

int lazy_connect(const struct options *opts, const char *id, bool *ret_greets)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to;
	struct ucred peer;
	int err;

	if (sock < 0)
		return fail(-errno, "socket");
	err = bind_name(sock, id);
	if (err)
		return fail(err, "name the socket of a restore");
	socket_address(opts, &to);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ENOENT : fail(-errno, "connect to " LAZY_SOCKET);
	/* It gets the memory of the tree. */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) < 0 ||
	    (peer.uid && peer.uid != geteuid()))
		return fail(-EPERM, "connect to " LAZY_SOCKET);
	*ret_greets = is_ours(sock);
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
	socket_address(opts, &at);
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

static int refuse(int sock, const char *id, const char *theirs)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "it supplies the memory of the dump %s, not that of the one to be restored, %s", id, theirs);

	log_error("lazy pages: a restore of other images is refused: those of the dump %s, not %s", theirs, id);
	send(sock, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(sock);
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
		return refuse(sock, id, theirs);
	if (!getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		ret->tool = peer.pid;
	return 0;
}

int lazy_greet(const struct lazy_client *client)
{
	if (client->waits && send(client->sock, "", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}
