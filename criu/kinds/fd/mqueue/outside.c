// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unlinked queues that a process outside the tree has open, too: a restore would create another one, and the two would not
 * receive each other's messages. No interface lists who has a queue open, so all processes are looked at; it is only done if
 * there are unlinked queues. Descriptors in flight in sockets of others are not seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/record_table.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

struct unlinked {
	struct record record; /* device, inode */
	const struct dump_task *task; /* a process of the tree that has it open, and its descriptor */
	int fd;
	const char *name;
	bool refused;
};

int mqueue_note_unlinked(struct dump *dump, const struct fd_probe *probe, const char *name)
{
	struct record_table *queues = kind_data_of(&dump->arena, dump_kind_data(dump, &mqueue_run), sizeof(*queues));
	struct unlinked *u;

	if (!queues)
		return fail(-ENOMEM, "message queues");
	if (record_find(queues, probe->st.st_dev, probe->st.st_ino))
		return 0;
	u = record_new(&dump->arena, queues, probe->st.st_dev, probe->st.st_ino, sizeof(*u));
	if (!u)
		return fail(-ENOMEM, "message queues");
	u->task = probe->task;
	u->fd = probe->fd;
	u->name = name;
	return 0;
}

static void look_at(struct dump *dump, const struct record_table *queues, const struct proc *p, int fd)
{
	char path[32];
	struct unlinked *u;
	struct stat st;

	snprintf(path, sizeof(path), "fd/%d", fd);
	if (fstatat(p->dir, path, &st, 0) < 0 || !(u = record_find(queues, st.st_dev, st.st_ino)) || u->refused)
		return;
	u->refused = true;
	dump_blocker(
		dump, u->task, u->fd,
		"message queue %s is unlinked, and process %d, which is outside the tree, has it open, too (fd %d): close it there, or dump that process as well",
		u->name, p->pid, fd);
}

/* Helper processes of ours have copies. */
static bool is_ours(const struct proc *p)
{
	struct proc_stat stat;

	return proc_stat_read(p, &stat) < 0 || stat.ppid == getpid();
}

static void look_at_process(struct dump *dump, const struct record_table *queues, pid_t pid)
{
	struct int_array fds = { 0 };
	_cleanup_proc_ struct proc p = PROC_CLOSED;

	/* Whatever goes wrong: it is gone, or hides its descriptors from us. */
	if (pid == getpid() || dump_find_task(dump, pid) || proc_open(pid, &p) < 0 || is_ours(&p))
		return;
	if (!proc_fds(&p, &fds))
		for (size_t i = 0; i < fds.n; i++)
			look_at(dump, queues, &p, fds.v[i]);
	array_free(&fds);
}

int mqueue_check_outside(struct dump *dump)
{
	const struct record_table *queues = *dump_kind_data(dump, &mqueue_run);
	struct pid_array pids = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (!queues)
		return 0;
	err = proc_open_self(&self);
	if (!err)
		err = proc_pids(&self, &pids);
	if (err)
		fail(err, "list the processes of this machine");
	for (size_t i = 0; !err && i < pids.n; i++)
		look_at_process(dump, queues, pids.v[i]);
	array_free(&pids);
	return err;
}
