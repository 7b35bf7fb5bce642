// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run/ipc_object.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Permissions, SHM_DEST, SHM_LOCKED */
#define MODE_BITS 03777u

/* The kernel would show "nobody", which may be somebody in the user namespace of the tree. */
static void check_owners(struct dump *dump, const struct ipc_perm *perm, int id)
{
	if (id_map_has(&dump->uid_map, perm->uid) && id_map_has(&dump->uid_map, perm->cuid) &&
	    id_map_has(&dump->gid_map, perm->gid) && id_map_has(&dump->gid_map, perm->cgid))
		return;
	dump_blocker(
		dump, NULL, -1,
		"System V object %d, key %#x: its owner or creator (users %u and %u, groups %u and %u) is not mapped in the user "
		"namespace of the tree: that is not supported; remove it (ipcrm)",
		id, (unsigned)perm->__key, perm->uid, perm->cuid, perm->gid, perm->cgid);
}

void ipc_desc_fill(struct dump *dump, const struct ipc_perm *perm, int id, IpcDescEntry *ret_desc)
{
	check_owners(dump, perm, id);
	ipc_desc_entry__init(ret_desc);
	ret_desc->key = (uint32_t)perm->__key;
	ret_desc->uid = dump_uid_of(dump, perm->uid);
	ret_desc->gid = dump_gid_of(dump, perm->gid);
	ret_desc->cuid = dump_uid_of(dump, perm->cuid);
	ret_desc->cgid = dump_gid_of(dump, perm->cgid);
	ret_desc->mode = perm->mode;
	ret_desc->id = (uint32_t)id;
}

int ipc_desc_check(const char *image, uint32_t ns, const IpcDescEntry *desc, struct hash *ids)
{
	bool fresh;

	if (desc->id > INT32_MAX)
		return fail(-EBADMSG, "%s-%u.img: invalid id %u", image, ns, desc->id);
	if (desc->mode & ~MODE_BITS)
		return fail(-EBADMSG, "%s-%u.img: object %u: invalid mode 0%o", image, ns, desc->id, desc->mode);
	if (!hash_slot_of(ids, desc->id, &fresh))
		return fail(-ENOMEM, "IPC objects");
	return fresh ? 0 : fail(-EBADMSG, "%s-%u.img: several objects have the id %u", image, ns, desc->id);
}

struct creation {
	const struct ipc_type *type;
	const void *arg;
	const IpcDescEntry *desc;
};

/* No errno: the object could only be created with another id, and has been removed. */
#define OTHER_ID 255

/* 0, a positive errno, or OTHER_ID */
static int create(const struct creation *c)
{
	int id = c->type->create(c->arg);

	if (id < 0)
		return -id;
	if (id == (int)c->desc->id)
		return 0;
	c->type->remove(id);
	return OTHER_ID;
}

/* In a copy of the process: a change of credentials would change properties of the memory that we share with the tool. */
static int create_as_other(const struct creation *c)
{
	/* Huge pages need our capabilities; if we may not keep them, nothing else does. */
	prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
	if (syscall(SYS_setresgid, -1, c->desc->cgid, -1) < 0 || syscall(SYS_setresuid, -1, c->desc->cuid, -1) < 0)
		return errno;
	return create(c);
}

/* As create(), or a negative errno. */
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
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int ipc_create(const struct rights *rights, const IpcDescEntry *desc, const struct ipc_type *type, const void *arg)
{
	const struct creation c = { type, arg, desc };
	bool as_other = desc->cuid != geteuid() || desc->cgid != getegid();
	char path[64], text[16];
	int err;

	if (as_other && rights_need(rights, RIGHT_CHANGE_IDS, "create what %u:%u had created", desc->cuid, desc->cgid))
		return -EPERM;
	snprintf(path, sizeof(path), "sys/kernel/%s", type->next_id);
	snprintf(text, sizeof(text), "%u", desc->id);
	err = write_text(proc_root(), path, text);
	if (err < 0)
		return fail(err, "request the id %s (kernel.%s)", text, type->next_id);
	err = as_other ? run_as_other(&c) : create(&c);
	if (err == OTHER_ID)
		return fail(-EEXIST, "create it: the id is not free");
	err = err > 0 ? -err : err;
	return err ? fail(err, "create it") : 0;
}
