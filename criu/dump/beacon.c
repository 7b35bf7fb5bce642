/* SPDX-License-Identifier: GPL-2.0-only */
#include "dump/beacon.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/pid_ns.h"
#include "run/dump.h"
#include "util/fds.h"

#define END_MS 1000

int beacon_prepare(struct beacon *b)
{
	return pipe2(b->ready, O_CLOEXEC) < 0 ? -errno : 0;
}

/*
 * All but the user namespace: without capabilities there, no process of a user namespace below it may trace us. The mount
 * namespace comes last: it determines the root directory, which is the init's after that.
 */
static int enter_container(const struct proc *init)
{
	static const enum proc_ns types[] = {
		PROC_NS_NET, PROC_NS_UTS, PROC_NS_IPC, PROC_NS_CGROUP, PROC_NS_TIME, PROC_NS_MNT,
	};
	int fds[ARRAY_SIZE(types)], root = open_at(init->dir, "root", O_PATH | O_DIRECTORY, 0);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		fds[i] = proc_ns_open(init, types[i]);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		/* -ENOENT: this kernel has none of that type. */
		if (fds[i] < 0 && fds[i] != -ENOENT)
			return fds[i];
		if (fds[i] >= 0 && setns(fds[i], 0) < 0)
			return -errno;
	}
	return root < 0 ? root : fchdir(root) < 0 || chroot(".") < 0 ? -errno : 0;
}

/* Of the init: its user, without any of its other rights. */
static int drop_rights(const struct proc_status *init)
{
	const uid_t uid = init->uid[PROC_REAL];
	const gid_t gid = init->gid[PROC_REAL];
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	/* Without CAP_SETPCAP it fails: PR_SET_NO_NEW_PRIVS suffices. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	if (syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EPERM)
		return -errno;
	/* A change of credentials sets it to fs.suid_dumpable. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* Ends when the other end of @life is closed: nobody writes to it. It reports there that it is ready. */
static _Noreturn void shine(int life, const struct dump_task *init)
{
	char byte = 0;

	prctl(PR_SET_NAME, DUMP_BEACON_NAME, 0, 0, 0);
	if (enter_container(&init->proc) || drop_rights(&init->status))
		_exit(1);
	if (life > 0)
		close_range(0, (unsigned)life - 1, 0);
	close_range((unsigned)life + 1, ~0u, 0);
	if (write(life, &byte, 1) != 1)
		_exit(1);
	while (read(life, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int report(struct beacon *b)
{
	const pid_t pids[2] = { b->pid, b->inside };
	int err = write(b->ready[1], pids, sizeof(pids)) == sizeof(pids) ? 0 : -EPIPE;

	close(b->ready[1]);
	return err;
}

int beacon_start(struct beacon *b, int pid_ns, const struct dump_task *init)
{
	int life[2], err;
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) < 0)
		return -errno;
	/* It ends with the namespace, whose init waits until somebody has waited for it. */
	signal(SIGCHLD, SIG_IGN);
	if (setns(pid_ns, CLONE_NEWPID) < 0)
		return -errno;
	b->pid = fork();
	if (!b->pid) {
		close(life[1]);
		shine(life[0], init);
	}
	if (b->pid < 0)
		return -errno;
	/* The other end stays open until we exit. */
	close(life[0]);
	if (read(life[1], &ready, 1) != 1)
		return -ECHILD;
	err = pid_ns_inner(pid_ns, b->pid, &b->inside);
	return err ? err : report(b);
}

int beacon_await(struct beacon *b)
{
	pid_t pids[2];

	close(b->ready[1]);
	b->ready[1] = -1;
	if (read(b->ready[0], pids, sizeof(pids)) != sizeof(pids))
		return -ECHILD;
	b->pid = pids[0];
	b->inside = pids[1];
	b->pidfd = sys_pidfd_open(b->pid, 0);
	return b->pidfd < 0 ? b->pidfd : 0;
}

void beacon_end(const struct beacon *b)
{
	struct pollfd ended = { .fd = b->pidfd, .events = POLLIN };

	if (b->pidfd >= 0 && !sys_pidfd_send_signal(b->pidfd, SIGKILL))
		poll(&ended, 1, END_MS);
}

void beacon_close(struct beacon *b)
{
	for (int i = 0; i < 2; i++)
		if (b->ready[i] >= 0)
			close(b->ready[i]);
	if (b->pidfd >= 0)
		close(b->pidfd);
	*b = BEACON_NONE;
}
