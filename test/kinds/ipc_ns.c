// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPC namespaces of processes of one tree: the root's own, that of the rest of the system, a third one that two processes
 * share. System V queues with messages of all sizes, semaphores with undo values, POSIX queues, owners, creators, ids with
 * their sequence numbers, sysctls; the same ids and names mean other objects in each.
 * test: flavours=host,user breaks=6 decode=yes ignore=fd/[56]/ino
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LARGE 100000

struct message {
	long type;
	char data[LARGE];
};

static int outer; /* the namespace that the test was started in */
static struct message message;

static ino_t ino_of(int fd)
{
	struct stat st = { 0 };

	need(!fstat(fd, &st), "namespace");
	return st.st_ino;
}

static ino_t own(void)
{
	int fd = open("/proc/self/ns/ipc", O_RDONLY);
	ino_t ino = ino_of(fd);

	close(fd);
	return ino;
}

static void check_sysctl(const char *name, const char *want)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	read_file(path, text, sizeof(text));
	text[strcspn(text, "\n")] = 0;
	check(!strcmp(text, want), "%s: %s, not %s", name, text, want);
}

static void set_sysctl(const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	write_file(path, text);
	check_sysctl(name, text);
}

/* ---- System V message queues ---- */

static void send_message(int queue, long type, size_t size, unsigned seed)
{
	message.type = type;
	fill(message.data, size, seed);
	need(!msgsnd(queue, &message, size, IPC_NOWAIT), "send %zu bytes: %s", size, strerror(errno));
}

static void expect_message(int queue, long type, size_t size, unsigned seed)
{
	ssize_t len = msgrcv(queue, &message, LARGE, 0, IPC_NOWAIT);

	check(len == (ssize_t)size && message.type == type, "message of %zd bytes, type %ld", len, message.type);
	check(len != (ssize_t)size || !wrong(message.data, size, seed), "content of a message of %zu bytes", size);
}

static int as_other(void *arg)
{
	need(!syscall(SYS_setresgid, 44, 44, 44) && !syscall(SYS_setresuid, 33, 33, 33), "ids");
	need(msgget(0x77, IPC_CREAT | IPC_EXCL | 0606) >= 0, "queue");
	return 0;
}

struct queues {
	int full, other;
	struct msqid_ds before;
};

static void make_queues(struct queues *q)
{
	struct msqid_ds ds;

	/* Sequence number 3, index 7. */
	set_sysctl("kernel/msg_next_id", "98311");
	q->full = msgget(0x1234, IPC_CREAT | IPC_EXCL | 0640);
	need(q->full == 98311, "queue %d", q->full);
	need(!msgctl(q->full, IPC_STAT, &ds), "queue");
	ds.msg_qbytes = 2 * LARGE;
	ds.msg_perm.uid = 12;
	ds.msg_perm.gid = 34;
	need(!msgctl(q->full, IPC_SET, &ds), "set");
	send_message(q->full, 0x7fffffffffffffff, 0, 1);
	send_message(q->full, 2, LARGE, 2);
	send_message(q->full, 1, 1, 3);
	send_message(q->full, 2, 4049, 4);
	/* Less than there is in it. */
	ds.msg_qbytes = 5000;
	need(!msgctl(q->full, IPC_SET, &ds) && !msgctl(q->full, IPC_STAT, &q->before), "set");
	join_task(fork_task(as_other, NULL));
	q->other = msgget(0x77, 0);
}

static void check_queues(const struct queues *q)
{
	struct msqid_ds ds = { 0 };

	check(msgget(0x1234, 0) == q->full && !msgctl(q->full, IPC_STAT, &ds), "queue");
	check(ds.msg_perm.uid == 12 && ds.msg_perm.gid == 34 && ds.msg_perm.cuid == 0 && ds.msg_perm.mode == 0640,
	      "owner %u:%u, creator %u, mode 0%o", ds.msg_perm.uid, ds.msg_perm.gid, ds.msg_perm.cuid,
	      ds.msg_perm.mode);
	check(ds.msg_qnum == 4 && ds.msg_qbytes == 5000 && ds.__msg_cbytes == q->before.__msg_cbytes,
	      "%lu messages, %lu bytes of %lu", ds.msg_qnum, ds.__msg_cbytes, ds.msg_qbytes);
	expect_message(q->full, 0x7fffffffffffffff, 0, 1);
	expect_message(q->full, 2, LARGE, 2);
	expect_message(q->full, 1, 1, 3);
	expect_message(q->full, 2, 4049, 4);
	check(msgget(0x77, 0) == q->other && !msgctl(q->other, IPC_STAT, &ds), "the other's queue");
	check(ds.msg_perm.uid == 33 && ds.msg_perm.gid == 44 && ds.msg_perm.cuid == 33 && ds.msg_perm.cgid == 44 &&
		      ds.msg_perm.mode == 0606 && !ds.msg_qnum,
	      "owner %u:%u, creator %u:%u", ds.msg_perm.uid, ds.msg_perm.gid, ds.msg_perm.cuid, ds.msg_perm.cgid);
}

/* ---- semaphores ---- */

enum { LOCK, POOL, ZERO, MOST, NR_SEMS = 7 };

static int operate(int set, int num, int by)
{
	struct sembuf op = { .sem_num = num, .sem_op = by, .sem_flg = IPC_NOWAIT | SEM_UNDO };

	return semop(set, &op, 1);
}

/* Also a set that was never used. */
static int make_set(int value)
{
	unsigned short values[NR_SEMS] = { 1, (unsigned short)value, 0, 32767 };
	int set;

	need(!semctl(semget(IPC_PRIVATE, 3, 0600), 0, IPC_RMID), "set");
	need(semget(0x99, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0, "unused set");
	set = semget(0x1234, NR_SEMS, IPC_CREAT | IPC_EXCL | 0660);
	need(set >= 0 && !semctl(set, 0, SETALL, values), "set");
	need(!operate(set, LOCK, -1) && !operate(set, POOL, 5), "operations");
	return set;
}

static void check_set(int set, int value)
{
	unsigned short now[NR_SEMS] = { 0 };
	struct semid_ds ds = { 0 };

	check(semget(0x1234, NR_SEMS, 0) == set, "semaphore set");
	check(!semctl(set, 0, GETALL, now) && now[LOCK] == 0 && now[POOL] == value + 5 && !now[ZERO] &&
		      now[MOST] == 32767,
	      "values %u, %u, %u, %u", now[LOCK], now[POOL], now[ZERO], now[MOST]);
	check(!semctl(set, 0, IPC_STAT, &ds) && ds.sem_otime && ds.sem_perm.mode == 0660, "used, mode 0%o",
	      ds.sem_perm.mode);
	check(!semctl(semget(0x99, 1, 0), 0, IPC_STAT, &ds) && !ds.sem_otime, "unused");
}

/* ---- POSIX message queues ---- */

static void check_posix(mqd_t open_one, long maxmsg)
{
	struct mq_attr attr = { 0 };
	struct stat st = { 0 };
	mqd_t q = mq_open("/open", O_RDWR | O_NONBLOCK);
	char buf[128] = "";

	check(q >= 0 && !mq_getattr(q, &attr) && attr.mq_maxmsg == maxmsg && attr.mq_msgsize == 77,
	      "%ld messages of %ld", attr.mq_maxmsg, attr.mq_msgsize);
	check(!mq_send(open_one, "hello", 5, 3) && mq_receive(q, buf, sizeof(buf), NULL) == 5, "through both");
	mq_close(q);
	q = mq_open("/unused", O_RDONLY);
	check(q >= 0 && !fstat(q, &st) && st.st_uid == 5 && st.st_gid == 6 && (st.st_mode & 07777) == 0604,
	      "owner %u:%u, mode 0%o", st.st_uid, st.st_gid, st.st_mode);
	mq_close(q);
}

static mqd_t make_posix(long maxmsg)
{
	struct mq_attr attr = { .mq_maxmsg = maxmsg, .mq_msgsize = 77 };
	mqd_t q = mq_open("/unused", O_CREAT | O_EXCL | O_RDWR, 0600, &attr);

	need(q >= 0 && !fchown(q, 5, 6) && !fchmod(q, 0604) && !mq_close(q), "queue");
	q = mq_open("/open", O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);
	need(q >= 0, "queue");
	return q;
}

/* ---- the processes ---- */

static int in_outer(void *arg)
{
	need(!setns(outer, CLONE_NEWIPC), "setns");
	checkpoint_task("outer", 0);
	check(own() == ino_of(outer), "it is in another namespace than before");
	check(msgget(0x1234, 0) < 0 && semget(0x1234, 0, 0) < 0, "objects of the others");
	return 0;
}

static int grandchild(void *arg)
{
	int set = semget(0x1234, 0, 0);

	need(!operate(set, POOL, 1), "operation");
	checkpoint_task("grandchild", 0);
	if (test_break() == 5)
		operate(set, POOL, -1);
	check(semctl(set, POOL, GETVAL) == 106, "value %d", semctl(set, POOL, GETVAL));
	return 0;
}

static int in_third(void *arg)
{
	mqd_t posix;
	int set;
	pid_t pid;

	need(!unshare(CLONE_NEWIPC), "unshare");
	set_sysctl("kernel/msgmax", "9999");
	set = make_set(100);
	posix = make_posix(3);
	pid = fork_task(grandchild, NULL);
	checkpoint_task("third", 0);
	join_task(pid);
	/* Its undo value has been applied, ours not. */
	check_set(set, 100);
	check_posix(posix, 3);
	check_sysctl("kernel/msgmax", "9999");
	check(msgget(0x1234, 0) < 0, "a queue of the others");
	return 0;
}

/* The undo values of a process. */
static int holder(void *arg)
{
	int set = semget(0x2222, 1, IPC_CREAT | IPC_EXCL | 0600);

	need(set >= 0 && !operate(set, 0, 7), "operation");
	checkpoint_task("holder", 0);
	check(semctl(set, 0, GETVAL) == 7, "value %d", semctl(set, 0, GETVAL));
	return 0;
}

int main(int argc, char **argv)
{
	struct queues queues;
	int of_root, brk, set;
	pid_t pids[3];
	mqd_t posix;

	test_init(argc, argv);
	outer = open("/proc/self/ns/ipc", O_RDONLY);
	need(!unshare(CLONE_NEWIPC), "unshare");
	of_root = open("/proc/self/ns/ipc", O_RDONLY);
	set_sysctl("kernel/msgmax", "200000");
	set_sysctl("kernel/msgmnb", "300000");
	make_queues(&queues);
	set_sysctl("kernel/msgmnb", "4000");
	set_sysctl("kernel/msgmni", "11");
	set = make_set(10);
	set_sysctl("kernel/sem", "8\t55\t300\t6");
	set_sysctl("kernel/shmmax", "123456789012");
	set_sysctl("kernel/shmall", "987654321098");
	set_sysctl("kernel/shmmni", "77");
	set_sysctl("kernel/shm_rmid_forced", "1");
	set_sysctl("kernel/sem_next_id", "1234");
	posix = make_posix(9);
	set_sysctl("fs/mqueue/msg_max", "5");
	set_sysctl("fs/mqueue/msg_default", "4");
	set_sysctl("fs/mqueue/msgsize_max", "500");
	set_sysctl("fs/mqueue/msgsize_default", "400");
	set_sysctl("fs/mqueue/queues_max", "2");
	pids[0] = fork_task(in_outer, NULL);
	pids[1] = fork_task(in_third, NULL);
	await_task("outer");
	await_task("third");
	await_task("grandchild");
	pids[2] = fork_task(holder, NULL);
	await_task("holder");
	set_sysctl("kernel/sem_next_id", "1234");

	brk = checkpoint_here();
	if (brk == 1)
		msgrcv(queues.full, &message, LARGE, 1, IPC_NOWAIT);
	if (brk == 2)
		semctl(set, MOST, SETVAL, 1);
	if (brk == 3)
		mq_unlink("/unused");
	if (brk == 4)
		unshare(CLONE_NEWIPC);
	if (brk == 6)
		write_file("/proc/sys/fs/mqueue/queues_max", "3");

	check(own() == ino_of(of_root) && own() != ino_of(outer), "the root's namespace");
	check_sysctl("kernel/sem_next_id", "1234");
	check_sysctl("kernel/msg_next_id", "-1");
	check_sysctl("kernel/msgmax", "200000");
	check_sysctl("kernel/msgmnb", "4000");
	check_sysctl("kernel/msgmni", "11");
	check_sysctl("kernel/sem", "8\t55\t300\t6");
	check_sysctl("kernel/shmmax", "123456789012");
	check_sysctl("kernel/shmall", "987654321098");
	check_sysctl("kernel/shmmni", "77");
	check_sysctl("kernel/shm_rmid_forced", "1");
	check_sysctl("kernel/auto_msgmni", "0");
	check_sysctl("fs/mqueue/msg_max", "5");
	check_sysctl("fs/mqueue/msg_default", "4");
	check_sysctl("fs/mqueue/msgsize_max", "500");
	check_sysctl("fs/mqueue/msgsize_default", "400");
	check_sysctl("fs/mqueue/queues_max", "2");
	check_queues(&queues);
	check_set(set, 10);
	check_posix(posix, 9);
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	check(!semctl(semget(0x2222, 1, 0), 0, GETVAL), "the undo value of a process was not applied at its end");
	test_done();
}
