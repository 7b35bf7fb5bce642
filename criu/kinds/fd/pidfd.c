// SPDX-License-Identifier: GPL-2.0-only
/*
 * pidfd_open(2): a process of the tree, an exited one, or one outside the tree. Pidfds of the same exited process have
 * the same inode number; they are created together, for a process forked for the purpose, which then exits. A process
 * outside is opened again while it is alive; after that its pidfds are those of an exited process, too.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/boot_id.h"
#include "kernel/clocks.h"
#include "kernel/fdinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/user_ns.h"
#include "util/fds.h"

#define PIDFD_FLAG_NONBLOCK O_NONBLOCK
#define PIDFD_FLAG_THREAD O_EXCL /* PIDFD_THREAD, 6.9 */

/* PIDFD_GET_INFO of 6.13, with the exit status from 6.15 on: the first published size. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_IOCTL_GET_INFO _IOWR(0xFF, 11, struct pidfd_info_v0)
#define PIDFD_ASK_EXIT (1ull << 3)

/* Identifies a process beyond its pid, which may be reused. */
struct pidfd_identity {
	uint64_t start; /* in ticks of the initial time namespace, +-1 */
	uint32_t pidns;
	char boot_id[BOOT_ID_LEN + 1];
};

/* -ESRCH, -ENOENT: no process has that pid. */
static int pidfd_locate(pid_t pid, struct pidfd_identity *ret)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED, self = PROC_CLOSED;
	struct pidfd_identity where = { 0 };
	struct clocks ahead;
	struct proc_stat stat;
	int err = boot_id_read(where.boot_id);

	if (!err)
		err = proc_open_self(&self);
	if (!err)
		err = proc_ns_ino(&self, PROC_NS_PID, &where.pidns);
	if (!err)
		err = proc_open(pid, &proc);
	if (!err)
		err = proc_stat_read(&proc, &stat);
	if (!err)
		err = clocks_ahead(&self, &ahead);
	if (err)
		return err;
	/* /proc counts from the start of the reader's own time namespace. */
	where.start = stat.start_time - (uint64_t)(ahead.boottime / (NSEC_IN_SEC / sysconf(_SC_CLK_TCK)));
	*ret = where;
	return 0;
}

static bool pidfd_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "pidfd");
}

/* PIDFD_THREAD of a thread other than the main thread of a process. */
static bool pidfd_find_thread(struct dump *dump, pid_t host_tid, pid_t *ret_tid)
{
	struct dump_task *task;

	dump_for_each_task(task, dump)
		for (size_t i = 1; i < task->nr_threads; i++)
			if (task->threads[i].id.host_tid == host_tid) {
				*ret_tid = task->threads[i].id.tid;
				return true;
			}
	return false;
}

/* Not stopped by us, it may have exited in the meantime: then it is saved as an exited process. */
static int pidfd_save_outside(struct dump *dump, pid_t pid, PidfdEntry *pidfd)
{
	struct pidfd_identity where;
	int err = pidfd_locate(pid, &where);

	pidfd->nspid = -1;
	if (err == -ESRCH || err == -ENOENT)
		return 0;
	if (err)
		return fail(err, "pidfd: inspect process %d, which is outside the tree", pid);
	pidfd->has_outside_pid = pidfd->has_outside_start = pidfd->has_outside_pidns = true;
	pidfd->outside_pid = pid;
	pidfd->outside_start = where.start;
	pidfd->outside_pidns = where.pidns;
	pidfd->outside_boot_id = dump_strdup(dump, where.boot_id);
	return pidfd->outside_boot_id ? 0 : fail(-ENOMEM, "pidfd");
}

static int pidfd_save_target(struct dump *dump, const struct fd_probe *probe, pid_t pid, PidfdEntry *pidfd)
{
	const struct dump_task *target;
	pid_t tid;

	if (pid < 0) {
		struct pidfd_info_v0 info = { .mask = PIDFD_ASK_EXIT };

		pidfd->nspid = -1;
		if (!ioctl(probe->local, PIDFD_IOCTL_GET_INFO, &info) && (info.mask & PIDFD_ASK_EXIT)) {
			pidfd->has_exit_status = true;
			pidfd->exit_status = info.exit_code;
		}
		return 0;
	}
	target = pid ? dump_find_task(dump, pid) : NULL;
	if (target)
		pidfd->nspid = target->t.pid;
	else if (pid && pidfd_find_thread(dump, pid, &tid)) {
		pidfd->nspid = tid;
		dump_check_thread_referred(dump, probe, pid);
	} else if (pid)
		return pidfd_save_outside(dump, pid, pidfd);
	else
		dump_blocker(dump, probe->task, probe->fd,
			     "pidfd: refers to a process in a pid namespace that is not visible here: close it");
	return 0;
}

static int pidfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	PidfdEntry *pidfd = dump_alloc(dump, sizeof(*pidfd));
	const struct fdinfo_item *item;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	if (!pidfd)
		return fail(-ENOMEM, "pidfd");
	item = fdinfo_find(info, FDINFO_PIDFD);
	if (!item)
		return fail(-EBADMSG, "fdinfo of a pidfd contains no pid");
	pidfd_entry__init(pidfd);
	err = dump_fown(dump, probe, &pidfd->fown);
	if (err < 0)
		return err;
	pidfd->id = entry->id;
	pidfd->ino = (uint32_t)probe->st.st_ino;
	pidfd->flags = probe->flags;
	entry->pidfd = pidfd;
	return pidfd_save_target(dump, probe, item->pidfd.pid, pidfd);
}

static int pidfd_load(struct restore *r, struct file *file, void *state)
{
	const PidfdEntry *pidfd = file->entry->pidfd;

	if (!pidfd)
		return fail(-EBADMSG, "files.img: file %u: pidfd without a record", file->id);
	if (pidfd->nspid == 0 || pidfd->nspid < -1)
		return fail(-EBADMSG, "files.img: file %u: invalid pidfd of process %d", file->id, pidfd->nspid);
	if (!pidfd->has_outside_pid)
		return 0;
	if (pidfd->outside_pid <= 0 || pidfd->nspid != -1 || !pidfd->has_outside_start || !pidfd->has_outside_pidns ||
	    !pidfd->outside_boot_id)
		return fail(-EBADMSG, "files.img: file %u: incomplete record of a pidfd of process %d outside the tree",
			    file->id, pidfd->outside_pid);
	return 0;
}

static bool pidfd_same_target(const PidfdEntry *a, const PidfdEntry *b)
{
	return a->nspid == -1 && b->nspid == -1 && a->ino == b->ino && a->has_outside_pid == b->has_outside_pid &&
	       a->outside_pid == b->outside_pid;
}

/* For one exited or outside process: the first descriptor in a task creates all of them. */
static int pidfd_link(struct restore *r, struct file *file, void *state)
{
	const PidfdEntry *pidfd = file->entry->pidfd;

	if (pidfd->nspid > 0) {
		struct restore_thread *thread = restore_find_thread(r, pidfd->nspid);

		if (thread && pidfd->flags & PIDFD_FLAG_THREAD)
			return restore_need_early(r, thread);
		if (!restore_find_task(r, pidfd->nspid))
			return fail(-EBADMSG, "files.img: file %u: pidfd of process %d, which is not in the images",
				    file->id, pidfd->nspid);
		return 0;
	}
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		struct file *other = &r->plan.files[i];

		if (other == file)
			break;
		if (other->kind == file->kind && other->owner && pidfd_same_target(other->entry->pidfd, pidfd)) {
			file->maker = other;
			break;
		}
	}
	return 0;
}

static unsigned pidfd_flags(const PidfdEntry *pidfd)
{
	return pidfd->flags & (PIDFD_FLAG_NONBLOCK | PIDFD_FLAG_THREAD);
}

/* Takes ownership of @opened, a new pidfd of process @pid, or an error. */
static int pidfd_take(struct restore *r, int opened, pid_t pid, const PidfdEntry *pidfd)
{
	_cleanup_close_ int fd = opened;
	int err;

	if (fd < 0)
		return fail(fd, "pidfd_open %d", pid);
	err = set_status_flags(r, fd, pidfd->flags, pidfd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

/* @pid: as this process sees it. */
static int pidfd_open_one(struct restore *r, pid_t pid, const PidfdEntry *pidfd)
{
	return pidfd_take(r, sys_pidfd_open(pid, pidfd_flags(pidfd)), pid, pidfd);
}

static void __attribute__((noreturn)) pidfd_exit_as(int status, int release)
{
	struct rlimit no_core = { 0, 0 };
	sigset_t none;
	char c;

	while (read(release, &c, 1) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		syscall(SYS_kill, syscall(SYS_getpid), WTERMSIG(status));
	}
	syscall(SYS_exit_group, WEXITSTATUS(status));
	__builtin_unreachable();
}

/* Exits with wait status @status when *ret_hold is closed. No signal is sent to its parent. */
static pid_t pidfd_fork_exiting(int status, int *ret_hold)
{
	_cleanup_close_ int hold = -1, release = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "pipe");
	release = ends[0];
	hold = ends[1];
	pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail(-errno, "fork a process for a pidfd");
	if (pid == 0) {
		close(hold);
		pidfd_exit_as(status, release);
	}
	*ret_hold = steal_fd(&hold);
	return pid;
}

/* This one, and all those that it creates. */
static int pidfd_open_all(struct restore *r, struct file *file, pid_t pid)
{
	_cleanup_close_ int fd = pidfd_open_one(r, pid, file->entry->pidfd);
	int err = fd < 0 ? fd : 0;

	for (size_t i = 0; i < r->plan.nr_files && err >= 0; i++) {
		struct file *other = &r->plan.files[i];

		if (other->maker != file)
			continue;
		err = pidfd_open_one(r, pid, other->entry->pidfd);
		if (err >= 0)
			err = restore_provide(r, other, err);
	}
	return err < 0 ? err : steal_fd(&fd);
}

static int pidfd_open_gone(struct restore *r, struct file *file)
{
	_cleanup_close_ int hold = -1, fd = -1;
	pid_t pid = pidfd_fork_exiting(file->entry->pidfd->exit_status, &hold);

	if (pid < 0)
		return pid;
	fd = pidfd_open_all(r, file, pid);
	close(steal_fd(&hold));
	while (waitpid(pid, NULL, __WALL) < 0)
		if (errno != EINTR)
			return fail(-errno, "wait for process %d of a pidfd", pid);
	return fd < 0 ? fd : steal_fd(&fd);
}

/* NULL, or why it is not that process. */
static const char *pidfd_outside_lost(const PidfdEntry *pidfd)
{
	struct pidfd_identity now;
	int err = pidfd_locate(pidfd->outside_pid, &now);

	if (err == -ESRCH || err == -ENOENT)
		return "has exited, or was on another machine";
	if (err)
		return "cannot be inspected";
	if (strcmp(now.boot_id, pidfd->outside_boot_id))
		return "was on another machine, or this one has been rebooted";
	if (now.pidns != pidfd->outside_pidns)
		return "was in another pid namespace";
	return now.start - pidfd->outside_start + 2 <= 4 ? NULL : "has exited, and its pid has been reused";
}

static int pidfd_open_outside(struct restore *r, struct file *file)
{
	const PidfdEntry *pidfd = file->entry->pidfd;
	_cleanup_close_ int fd = -1;
	const char *lost = pidfd_outside_lost(pidfd);

	if (lost) {
		log_warn("pidfd of process %d outside the tree, which %s: the program will see it as exited",
			 pidfd->outside_pid, lost);
		return pidfd_open_gone(r, file);
	}
	fd = pidfd_open_all(r, file, pidfd->outside_pid);
	if (fd < 0)
		return fd;
	/* It was that process before and after: so it was in between. */
	lost = pidfd_outside_lost(pidfd);
	return lost ? fail(-ESRCH, "process %d of a pidfd %s just now: restore again", pidfd->outside_pid, lost) :
		      steal_fd(&fd);
}

static int pidfd_open_file(struct restore *r, struct file *file, const void *state)
{
	const PidfdEntry *pidfd = file->entry->pidfd;

	if (pidfd->has_outside_pid)
		return pidfd_open_outside(r, file);
	if (pidfd->nspid < 0)
		return pidfd_open_gone(r, file);
	return pidfd_take(r, restore_open_process(r, pidfd->nspid, pidfd_flags(pidfd)), pidfd->nspid, pidfd);
}

static void pidfd_describe(const FileEntry *entry, struct description *d)
{
	if (entry->pidfd && entry->pidfd->nspid > 0)
		describe_add(d, "pidfd of %d", entry->pidfd->nspid);
}

const struct fd_kind pidfd_kind = {
	.name = "pidfd",
	.image_type = FD_TYPES__PIDFD,
	.for_untrusted = true,
	.claims = pidfd_claims,
	.save = pidfd_save,
	.load = pidfd_load,
	.link = pidfd_link,
	.open = pidfd_open_file,
	.describe = pidfd_describe,
};
