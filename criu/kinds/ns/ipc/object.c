// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "internal.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Permissions, SHM_DEST, SHM_LOCKED */
#define MODE_BITS 03777u

void ipc_desc_fill(const struct dump *dump, const struct ipc_perm *perm, int id, IpcDescEntry *ret_desc)
{
	ipc_desc_entry__init(ret_desc);
	ret_desc->key = (uint32_t)perm->__key;
	ret_desc->uid = dump_uid_of(dump, perm->uid);
	ret_desc->gid = dump_gid_of(dump, perm->gid);
	ret_desc->cuid = dump_uid_of(dump, perm->cuid);
	ret_desc->cgid = dump_gid_of(dump, perm->cgid);
	ret_desc->mode = perm->mode;
	ret_desc->id = (uint32_t)id;
}

int ipc_desc_check(const struct ns *ns, const char *image, const IpcDescEntry *desc)
{
	if (desc->id > INT32_MAX)
		return fail(-EBADMSG, "%s-%u.img: invalid id %u", image, ns->id, desc->id);
	if (desc->mode & ~MODE_BITS)
		return fail(-EBADMSG, "%s-%u.img: object %u: invalid mode 0%o", image, ns->id, desc->id, desc->mode);
	return 0;
}

struct creation {
	int (*create)(const void *arg);
	const void *arg;
	uid_t uid;
	gid_t gid;
};

/* In a copy of the process: a change of credentials would change properties of the memory that we share with the tool. */
static int create_as_other(const struct creation *c)
{
	int result;

	if (syscall(SYS_setresgid, -1, c->gid, -1) < 0 || syscall(SYS_setresuid, -1, c->uid, -1) < 0)
		return errno;
	result = c->create(c->arg);
	return result < 0 ? -result : 0;
}

static int run_as_other(const struct creation *c)
{
	/* No signal is sent at its end: __WALL. */
	pid_t pid = (pid_t)syscall(SYS_clone, 0ul, NULL, NULL, NULL, 0ul);
	int status;

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(create_as_other(c));
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int ipc_create(const IpcDescEntry *desc, const char *next_id, int (*create)(const void *arg), const void *arg)
{
	const struct creation c = { create, arg, desc->cuid, desc->cgid };
	char path[64], text[16];
	int err;

	snprintf(path, sizeof(path), "sys/kernel/%s", next_id);
	snprintf(text, sizeof(text), "%u", desc->id);
	err = write_text(proc_root(), path, text);
	if (err < 0)
		return fail(err, "write %s to /proc/%s", text, path);
	if (c.uid != geteuid() || c.gid != getegid())
		return run_as_other(&c);
	err = create(arg);
	return err < 0 ? err : 0;
}
