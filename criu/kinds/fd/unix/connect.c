// SPDX-License-Identifier: GPL-2.0-only
/* Connections go through the file that a socket is bound to, whatever became of its name. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "kinds/fd/unix/internal.h"
#include "run/names.h"
#include "util/proc_root.h"

socklen_t unix_fill_address(const ProtobufCBinaryData *name, struct sockaddr_un *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	memcpy(ret_addr->sun_path, name->data, name->len);
	return offsetof(struct sockaddr_un, sun_path) + name->len;
}

/* Through the descriptor, whatever became of the name. */
static void set_target_file(struct unix_target *target)
{
	target->addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	target->len = sizeof(target->addr);
	proc_fd_path(target->addr.sun_path, target->file);
}

/* Without CAP_NET_ADMIN over the network namespace: by the name that it has got by now. */
static int open_by_name(struct restore *r, const struct unix_sock *named)
{
	const UnixSkEntry *entry = named->entry;

	if (entry->deleted)
		return fail(-EPERM, "the removed file of unix socket %s: %s: run criu as root", named->key,
			    rights_text(RIGHT_NET_ADMIN));
	return path_open(&r->roots, entry->has_mnt_id ? entry->mnt_id : PATH_ROOT_MOUNT, entry->moved_to ?: named->key,
			 O_PATH | O_NOFOLLOW);
}

int unix_find_target(struct restore *r, int to, const struct unix_sock *named, struct unix_target *ret_target)
{
	const ProtobufCBinaryData *name = &named->entry->name;

	ret_target->file = -1;
	if (name->len && !name->data[0]) {
		ret_target->len = unix_fill_address(name, &ret_target->addr);
		return 0;
	}
	ret_target->file = ioctl(to, SIOCUNIXFILE_);
	if (ret_target->file < 0)
		ret_target->file = errno == EPERM && named->key ? open_by_name(r, named) : -errno;
	if (ret_target->file < 0)
		return fail(ret_target->file, "file of a unix socket");
	set_target_file(ret_target);
	return 0;
}

int unix_connect(struct restore *r, int fd, int to, const struct unix_sock *named, const struct unix_sock *as)
{
	struct unix_self self = { 0 };
	struct unix_target target;
	int err = unix_find_target(r, to, named, &target);

	if (!err)
		err = unix_become_owner(as, &self);
	if (!err && connect(fd, (struct sockaddr *)&target.addr, target.len) < 0)
		err = fail(-errno, "connect a unix socket");
	unix_become_self(&self);
	cleanup_close(&target.file);
	return err;
}

/* The path is resolved, and the connection made, with the rights of those that have the connecting socket. */
static int find_external(struct restore *r, const struct unix_sock *sock, const struct unix_sock *as,
			 struct unix_target *ret_target)
{
	ret_target->file = -1;
	ret_target->len = unix_fill_address(&sock->entry->name, &ret_target->addr);
	if (!unix_has_path(sock))
		return 0;
	ret_target->file = names_open(r, audience_of_file(r, as->file),
				      &(struct name_wanted){ sock->key, O_PATH, NULL, sock->entry->mnt_id }, W_OK);
	opener_leave(r);
	if (ret_target->file < 0)
		return ret_target->file;
	set_target_file(ret_target);
	return 0;
}

int unix_connect_external(struct restore *r, const struct unix_sock *sock, int fd, const struct unix_sock *as)
{
	const char *name = unix_has_path(sock) ? sock->key : sock->key + 1;
	int len = unix_has_path(sock) ? (int)sock->key_len : (int)sock->key_len - 1;
	struct unix_self self = { 0 };
	struct unix_target target;
	int err = find_external(r, sock, as, &target);

	if (!err)
		err = unix_become_owner(as, &self);
	if (!err && connect(fd, (struct sockaddr *)&target.addr, target.len) < 0)
		err = fail(-errno, "connect to %s%.*s, outside the tree", unix_has_path(sock) ? "" : "@", len, name);
	unix_become_self(&self);
	cleanup_close(&target.file);
	return err;
}
