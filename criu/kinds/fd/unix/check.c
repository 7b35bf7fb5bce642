// SPDX-License-Identifier: GPL-2.0-only
/* criu check -D: is the name of a socket free? */
#include <errno.h>
#include <string.h>
#include "kinds/fd/unix/internal.h"
#include "run/names.h"
#include "run/obstacles.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

static int check_abstract(const struct unix_sock *sock)
{
	const ProtobufCBinaryData *name = &sock->entry->name;
	struct unix_diags diags = { 0 };
	const struct unix_diag *sk, *other = NULL;
	int err = unix_diag_read(&diags);

	if (!err)
		array_for_each(sk, &diags.all)
			if (sk->name_len == name->len && !memcmp(sk->name, name->data, name->len) && !sk->has_vfs)
				other = sk;
	if (other)
		err = fail(-EADDRINUSE,
			   "the abstract name @%.*s is that of another program's socket:[%u]; end that program first",
			   (int)name->len - 1, (const char *)name->data + 1, other->ino);
	unix_diag_free(&diags);
	return err;
}

static int check_path(struct restore *r, const struct unix_sock *sock)
{
	char path[UNIX_NAME_MAX + 1] = "", dir[UNIX_NAME_MAX + 1];
	_cleanup_close_ int fd = -1;
	char *base;

	memcpy(path, sock->entry->name.data, MIN_OF(sock->entry->name.len, sizeof(path) - 1));
	/* Relative to a directory of the program: that is checked for itself. */
	if (path[0] != '/' || sock->entry->deleted || sock->entry->moved_to || !restore_paths_exist(r))
		return 0;
	strcpy(dir, path);
	base = strrchr(dir, '/');
	base[base == dir] = 0;
	fd = names_open_raw(r, PATH_ROOT_MOUNT, dir, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fail(fd, "%s, the directory of the unix socket %s", dir, path);
	return unix_check_stale(fd, path);
}

int unix_check(struct restore *r, struct file *file, const void *state)
{
	const struct unix_sock *sock = ((const struct unix_state *)state)->sock;

	/* An accepted socket has the name of the one that listens. */
	if (!sock || !sock->entry->name.len || unix_is_external(sock) || sock->inherited || sock->entry->gone ||
	    (sock->entry->state != UNIX_LISTEN && sock->entry->type != SOCK_DGRAM))
		return 0;
	if (unix_has_path(sock))
		return check_path(r, sock);
	return file->network && !file->network->own ? 0 : check_abstract(sock);
}
