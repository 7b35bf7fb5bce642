/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel shows of one descriptor: a copy of it, and the properties that all kinds look at. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "dump/probe_fd.h"
#include "kernel/fdinfo.h"
#include "kernel/proc_pid.h"
#include "run/fs_answers.h"
#include "util/fds.h"
#include "util/log.h"

int probe_local(struct fd_probe *probe)
{
	struct file_facts facts;
	struct statfs fs;
	int flags, err;

	err = proc_file_facts(probe->local, &facts);
	if (err)
		return fail(err, "statx");
	probe->st = facts.st;
	probe->birth = facts.birth;
	if (facts.mnt_id >= 0)
		probe->mnt_id = facts.mnt_id;
	flags = fcntl(probe->local, F_GETFL);
	if (flags < 0)
		return fail(-errno, "fcntl(F_GETFL)");
	probe->flags = flags;
	if (!(flags & O_PATH)) {
		off_t pos = lseek(probe->local, 0, SEEK_CUR);

		probe->pos = pos < 0 ? 0 : pos;
	}
	probe->fs_magic = fstatfs(probe->local, &fs) ? 0 : fs.f_type;
	return 0;
}

bool probe_is_gone(const struct dump *dump, int err)
{
	return dump_is_check(dump) && (err == -EBADF || err == -ESRCH || err == -ENOENT);
}

int probe_fd(struct dump *dump, struct dump_task *dt, struct fd_probe *probe, char *link, size_t size)
{
	char name[32];
	ssize_t len;

	snprintf(name, sizeof(name), "fd/%d", probe->fd);
	len = read_link(dt->proc.dir, name, link, size);
	if (probe_is_gone(dump, len))
		return len;
	if (len < 0)
		return fail(len, "readlink /proc/%d/%s", dt->t.host_pid, name);
	probe->link = link;
	if (!dump_fd_answers(dump, probe))
		return 1;
	probe->local = sys_pidfd_getfd(dt->pidfd, probe->fd);
	if (probe_is_gone(dump, probe->local))
		return probe->local;
	if (probe->local < 0)
		return fail(probe->local, "get a copy of the descriptor");
	return probe_local(probe);
}

void probe_forget(struct fd_probe *probe)
{
	if (probe->local >= 0)
		close(probe->local);
	probe->local = -1;
	probe->link = NULL;
	if (probe->info) {
		fdinfo_free(probe->info);
		free(probe->info);
		probe->info = NULL;
	}
}
