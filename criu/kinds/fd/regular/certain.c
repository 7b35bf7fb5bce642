// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that a restore could not open: a task has no permission to open them (any more), and nothing proves that the path
 * leads to the same file (run/names.h). Checked where the file system has no times of creation.
 */
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "run/trusted_path.h"

static bool in_group(const struct proc_status *status, gid_t gid)
{
	bool is = status->gid[PROC_FS] == gid;

	for (size_t i = 0; i < status->groups.n; i++)
		is |= status->groups.v[i] == gid;
	return is;
}

/* Access control lists are left to the restore. */
static bool has_acl(const struct subject *s)
{
	return fgetxattr(s->local, "system.posix_acl_access", NULL, 0) > 0;
}

/* By its permissions alone. */
static bool may_open(const struct dump *dump, const struct subject *s)
{
	static const unsigned wanted[] = { [O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6, [O_ACCMODE] = 6 };
	const struct proc_status *status = s->task->nr_threads ? &s->task->threads[0].status : NULL;
	unsigned need = wanted[s->flags & O_ACCMODE], has = s->st.st_mode;

	/* A check, which does not look at threads. */
	if (!status)
		return true;
	/* A task in another user namespace than the root opens files before it enters that, without capabilities. */
	if (s->task->ns[NS_USER] == dump_task_of(dump->tree.root)->ns[NS_USER] &&
	    status->cap_eff & BIT(CAP_DAC_OVERRIDE) && id_map_has(&dump->uid_map, s->st.st_uid) &&
	    id_map_has(&dump->gid_map, s->st.st_gid))
		return true;
	if (s->st.st_uid == status->uid[PROC_FS])
		has >>= 6;
	else if (in_group(status, s->st.st_gid))
		has >>= 3;
	return (has & need) == need || has_acl(s);
}

/* The files of the tree's own, and those of /proc, are not those of the dump in any case. */
static bool is_made_anew(const struct dump *dump, const struct subject *s)
{
	struct statfs fs;
	uint64_t any;

	return hash_get(&dump->saved_fs, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)), &any) ||
	       fstatfs(s->local, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

void regular_check_certain(struct dump *dump, const struct subject *s, const char *name)
{
	char why[TRUST_WHY_MAX] = "";
	int fd;

	if (s->birth || !S_ISREG(s->st.st_mode) || !s->st.st_nlink || s->flags & O_PATH || may_open(dump, s) ||
	    is_made_anew(dump, s))
		return;
	fd = trusted_path_open(NULL, path_from(&dump->roots, s->mnt_id, name), true, why);
	if (fd >= 0)
		close(fd);
	else
		dump_blocker(
			dump, s->task, s->fd,
			"%s: its user may not open it, the file system has no times of creation, by which it would be recognized, and others may put another file in its place (%s): that is not supported; give the user permission to open it, or close it",
			name, why);
}
