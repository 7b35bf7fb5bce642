// SPDX-License-Identifier: GPL-2.0-only
/*
 * FIFOs: content, ends in two tasks, one opened for reading and writing, one without a writer, one unlinked.
 * test: flavours=host,container,user breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <sys/stat.h>

static int child(void *arg)
{
	int fd = open("one", O_WRONLY);

	need(fd >= 0 && write(fd, "from child", 10) == 10, "write");
	checkpoint_task("child", 0);
	check(write(fd, " again", 6) == 6, "write");
	return 0;
}

int main(int argc, char **argv)
{
	int reader, both, no_writer, gone, fd;
	char buf[64] = "";
	struct stat st;
	ssize_t len = 0, got;
	pid_t pid;

	test_init(argc, argv);
	need(!mkfifo("one", 0600) && !mkfifo("two", 0600) && !mkfifo("three", 0600) && !mkfifo("four", 0600), "mkfifo");
	pid = fork_task(child, NULL);
	reader = open("one", O_RDONLY);
	await_task("child");
	both = open("two", O_RDWR);
	need(write(both, "loop", 4) == 4, "write");
	no_writer = open("three", O_RDONLY | O_NONBLOCK);
	fd = open("three", O_WRONLY);
	need(write(fd, "left", 4) == 4, "write");
	close(fd);
	gone = open("four", O_RDWR | O_NONBLOCK);
	need(write(gone, "gone", 4) == 4 && !unlink("four"), "unlink");

	if (checkpoint_here())
		need(read(both, buf, 1) == 1, "break");

	while (len < 16 && (got = read(reader, buf + len, sizeof(buf) - len)) > 0)
		len += got;
	check(len == 16 && !memcmp(buf, "from child again", 16), "read %.*s", (int)len, buf);
	join_task(pid);
	check(!read(reader, buf, 10), "no EOF");
	check(read(both, buf, 64) == 4 && !memcmp(buf, "loop", 4), "both ends");
	check(read(no_writer, buf, 64) == 4 && !memcmp(buf, "left", 4) && !read(no_writer, buf, 1), "without a writer");
	check(read(gone, buf, 64) == 4 && !memcmp(buf, "gone", 4), "without a name");
	check(access("four", F_OK) < 0, "the name exists again");
	check(!fstat(reader, &st) && S_ISFIFO(st.st_mode), "not a fifo");
	test_done();
}
