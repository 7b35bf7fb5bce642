// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues: one with a name and messages of several priorities; an empty one; an unlinked one with two
 * descriptors; attributes, flags, a write-only descriptor.
 * test: flavours=host,pid,ipc breaks=2 decode=yes ignore=fd/6/|fd/7/|fd/[345]/ino
 */
#include "checkpoint.h"
#include <mqueue.h>

static void expect(mqd_t q, const char *text, unsigned priority)
{
	char buf[256] = "";
	unsigned got = 99;
	ssize_t len = mq_receive(q, buf, sizeof(buf), &got);

	check(len == (ssize_t)strlen(text) && !strcmp(buf, text) && got == priority,
	      "%zd bytes, %s (not %s), priority %u (not %u)", len, buf, text, got, priority);
}

int main(int argc, char **argv)
{
	struct mq_attr attr = { .mq_maxmsg = 7, .mq_msgsize = 77 }, now;
	mqd_t full, writer, empty, gone, gone_too;
	struct stat st;
	int brk;

	test_init(argc, argv);
	full = mq_open("/full", O_CREAT | O_RDWR | O_NONBLOCK, 0640, &attr);
	if (full < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	writer = mq_open("/full", O_WRONLY);
	empty = mq_open("/empty", O_CREAT | O_RDONLY, 0600, NULL);
	gone = mq_open("/gone", O_CREAT | O_RDWR, 0604, &attr);
	gone_too = mq_open("/gone", O_RDONLY | O_NONBLOCK);
	need(full == 3 && writer == 4 && empty == 5 && gone == 6 && gone_too == 7, "queues");
	need(!fchown(gone, 12, 34) && !mq_unlink("/gone"), "unlink");
	need(!mq_send(writer, "low", 3, 1) && !mq_send(writer, "high", 4, 9) && !mq_send(writer, "low too", 7, 1),
	     "send");

	brk = checkpoint_here();
	if (brk == 1)
		mq_receive(full, (char[77]){ 0 }, 77, NULL);
	if (brk == 2)
		dup2(empty, gone_too);

	check(fcntl(full, F_GETFD) == FD_CLOEXEC && !mq_getattr(full, &now) && now.mq_flags == O_NONBLOCK &&
		      now.mq_maxmsg == 7 && now.mq_msgsize == 77 && now.mq_curmsgs == 3,
	      "attributes");
	expect(full, "high", 9);
	expect(full, "low", 1);
	expect(full, "low too", 1);
	check(!mq_send(writer, "new", 3, 4), "send");
	expect(full, "new", 4);
	check(mq_receive(writer, (char[77]){ 0 }, 77, NULL) < 0 && errno == EBADF, "write-only");
	check(!mq_getattr(gone, &now) && now.mq_flags == 0 && now.mq_maxmsg == 7 && now.mq_msgsize == 77, "attributes");
	check(!fstat(gone, &st) && st.st_uid == 12 && st.st_gid == 34 && (st.st_mode & 07777) == 0604 && !st.st_nlink,
	      "owner %u:%u, mode 0%o, links %u", st.st_uid, st.st_gid, st.st_mode, (unsigned)st.st_nlink);
	check(!mq_send(gone, "message", 7, 0), "send");
	expect(gone_too, "message", 0);
	check(mq_open("/gone", O_RDONLY) < 0 && errno == ENOENT, "the name exists again");
	check(mq_open("/empty", O_RDONLY) >= 0, "open by name");
	test_done();
}
