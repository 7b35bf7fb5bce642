// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues of an IPC namespace with their messages, in order, with priorities: of all sizes and many
 * priorities; with an owner and a mode; open or not; unlinked. Reading them changes nothing: a process that waits for
 * space in a full queue keeps waiting.
 * test: breaks=4 decode=yes ignore=fd/[3-6]/ino
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define MANY 300
#define LARGE 20000

static const size_t sizes[] = { 0, 1, 4047, 4048, 4049, 4096, 8136, 8137, LARGE };
static char buf[LARGE], expected[LARGE];
static pid_t waiter;

static mqd_t make(const char *name, long maxmsg, long msgsize)
{
	struct mq_attr attr = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };
	mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);

	need(q >= 0, "mq_open %s: %s", name, strerror(errno));
	return q;
}

static void send(mqd_t q, size_t size, unsigned priority, unsigned seed)
{
	fill(buf, size, seed);
	need(!mq_send(q, buf, size, priority), "send %zu bytes: %s", size, strerror(errno));
}

static void expect(mqd_t q, size_t size, unsigned priority, unsigned seed)
{
	unsigned got = 99999;
	ssize_t len = mq_receive(q, buf, sizeof(buf), &got);

	check(len == (ssize_t)size && got == priority, "%zd bytes, priority %u, instead of %zu, %u", len, got, size,
	      priority);
	fill(expected, size, seed);
	check(len != (ssize_t)size || !memcmp(buf, expected, size), "a message of %zu bytes has changed", size);
}

/* Each is different, none is in order. */
static unsigned priority_of(unsigned i)
{
	return i * 7919 % 32768;
}

static void *wait_for_space(void *arg)
{
	mqd_t q = mq_open("/full", O_WRONLY);

	__atomic_store_n(&waiter, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	check(!mq_send(q, "last", 4, 0), "the waiting send");
	return NULL;
}

static void make_all(void)
{
	mqd_t q = make("/sizes", 12, LARGE);

	for (size_t i = 0; i < SIZES; i++)
		send(q, sizes[i], 5, (unsigned)i);
	send(q, 3, 32767, 77);
	need(!fchown(q, 12, 34) && !fchmod(q, 0642) && !mq_close(q), "owner");
	q = make("/many", MANY, 16);
	for (unsigned i = 0; i < MANY; i++)
		send(q, 1 + i % 16, priority_of(i), i);
	mq_close(q);
	mq_close(make("/empty", 3, 4));
	q = make("/full", 1, 8);
	send(q, 8, 1, 1);
	mq_close(q);
}

static void check_sizes(void)
{
	mqd_t q = mq_open("/sizes", O_RDONLY | O_NONBLOCK);
	struct mq_attr attr = { 0 };
	struct stat st = { 0 };

	check(q >= 0 && !mq_getattr(q, &attr) && attr.mq_maxmsg == 12 && attr.mq_msgsize == LARGE &&
		      attr.mq_curmsgs == 1 + (long)SIZES,
	      "%ld messages of %ld", attr.mq_curmsgs, attr.mq_maxmsg);
	check(!fstat(q, &st) && st.st_uid == 12 && st.st_gid == 34 && (st.st_mode & 07777) == 0642, "owner");
	expect(q, 3, 32767, 77);
	for (size_t i = 0; i < SIZES; i++)
		expect(q, sizes[i], 5, (unsigned)i);
	check(mq_receive(q, buf, sizeof(buf), NULL) < 0 && errno == EAGAIN, "more messages");
	mq_close(q);
}

static void check_many(void)
{
	mqd_t q = mq_open("/many", O_RDONLY | O_NONBLOCK);
	bool received[MANY] = { false };

	for (unsigned n = 0; n < MANY; n++) {
		unsigned best = MANY;

		for (unsigned i = 0; i < MANY; i++)
			if (!received[i] && (best == MANY || priority_of(i) > priority_of(best)))
				best = i;
		received[best] = true;
		expect(q, 1 + best % 16, priority_of(best), best);
	}
	mq_close(q);
}

int main(int argc, char **argv)
{
	mqd_t gone, open;
	pthread_t thread;
	int brk;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	open = mq_open("/probe", O_CREAT | O_RDWR, 0600, NULL);
	if (open < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	mq_unlink("/probe");
	mq_close(open);
	write_file("/proc/sys/fs/mqueue/msg_max", "1000");
	write_file("/proc/sys/fs/mqueue/msgsize_max", "100000");
	make_all();
	open = make("/open", 5, 100);
	gone = make("/gone", 5, 5000);
	send(open, 100, 3, 1);
	send(gone, 5000, 1, 2);
	send(gone, 10, 2, 3);
	need(!mq_unlink("/gone") && !pthread_create(&thread, NULL, wait_for_space, NULL), "unlink");
	while (!__atomic_load_n(&waiter, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(waiter, SYS_mq_timedsend);

	brk = checkpoint_here();
	if (brk == 1)
		expect(open, 100, 3, 1);
	if (brk == 2)
		expect(gone, 10, 2, 3);
	if (brk == 3)
		mq_unlink("/empty");
	if (brk == 4) {
		mqd_t many = mq_open("/many", O_RDWR | O_NONBLOCK);

		mq_receive(many, buf, sizeof(buf), NULL);
		mq_send(many, "other", 5, 0);
	}

	check_sizes();
	check_many();
	check(!mq_unlink("/empty"), "the empty queue");
	expect(open, 100, 3, 1);
	expect(gone, 10, 2, 3);
	expect(gone, 5000, 1, 2);
	check(mq_open("/gone", O_RDONLY) < 0 && errno == ENOENT, "the name exists again");
	gone = mq_open("/full", O_RDONLY);
	expect(gone, 8, 1, 1);
	pthread_join(thread, NULL);
	check(mq_receive(gone, buf, sizeof(buf), NULL) == 4 && !memcmp(buf, "last", 4), "the last message");
	test_done();
}
