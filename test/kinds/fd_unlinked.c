// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files without a name: content, size, holes, mode, owner; two descriptions of one; one shared with a child; O_TMPFILE.
 * test: flavours=host,container,user breaks=2 decode=yes ignore=fd/8/flags user-root=host
 */
#include "checkpoint.h"
#include <sys/stat.h>

static int shared;

static int child(void *arg)
{
	char buf[32] = "";

	checkpoint_task("child", 0);
	await_task("written");
	check(pread(shared, buf, 7, 0) == 7 && !strcmp(buf, "written"), "child reads %s", buf);
	return 0;
}

int main(int argc, char **argv)
{
	int a, b, sparse, tmp, empty, brk;
	struct stat st, st_b;
	char buf[64] = "";
	pid_t pid;

	test_init(argc, argv);
	a = open("gone", O_RDWR | O_CREAT, 0640);
	b = open("gone", O_RDONLY);
	sparse = open("sparse", O_RDWR | O_CREAT, 0600);
	empty = open("empty", O_WRONLY | O_CREAT | O_APPEND, 0604);
	shared = open("shared", O_RDWR | O_CREAT, 0600);
	need(a >= 0 && b >= 0 && sparse >= 0 && empty >= 0 && shared >= 0, "open");
	need(write(a, "0123456789", 10) == 10 && !fchown(a, 1001, 1002) && !fchmod(a, 04750), "write");
	lseek(a, 3, SEEK_SET);
	need(pwrite(sparse, "far", 3, 900000) == 3 && !ftruncate(sparse, 1000000), "sparse");
	need(!unlink("gone") && !unlink("sparse") && !unlink("empty") && !unlink("shared"), "unlink");
	write_file("gone", "another file at the same path");
	tmp = open(".", O_TMPFILE | O_RDWR, 0600);
	if (tmp >= 0)
		need(write(tmp, "temporary", 9) == 9, "write");
	pid = fork_task(child, NULL);
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		check(pwrite(a, "X", 1, 5) == 1, "break");
	if (brk == 2)
		fchmod(a, 0600);

	check(!fstat(a, &st) && !st.st_nlink && st.st_size == 10, "%lu links, size %ld", st.st_nlink, (long)st.st_size);
	check((st.st_mode & 07777) == 04750 && st.st_uid == 1001 && st.st_gid == 1002, "mode %o of %u:%u", st.st_mode,
	      st.st_uid, st.st_gid);
	check(lseek(a, 0, SEEK_CUR) == 3 && pread(a, buf, 64, 0) == 10 && !memcmp(buf, "0123456789", 10),
	      "content %.10s", buf);
	check(!fstat(b, &st_b) && st_b.st_ino == st.st_ino, "the descriptions refer to two files now");
	check(pwrite(a, "new", 3, 0) == 3 && pread(b, buf, 3, 0) == 3 && !memcmp(buf, "new", 3),
	      "one description does not show what the other wrote");
	check(lseek(b, 0, SEEK_CUR) == 0 && write(b, "x", 1) < 0, "the reader");
	check(!fstat(sparse, &st) && st.st_size == 1000000 && st.st_blocks < 64, "size %ld in %ld blocks",
	      (long)st.st_size, (long)st.st_blocks);
	memset(buf, 1, sizeof(buf));
	check(pread(sparse, buf, 3, 900000) == 3 && !memcmp(buf, "far", 3) && pread(sparse, buf, 9, 5) == 9 && !buf[0],
	      "sparse content");
	check(!fstat(empty, &st) && !st.st_size && (st.st_mode & 0777) == 0604 && fcntl(empty, F_GETFL) & O_APPEND,
	      "empty one");
	if (tmp >= 0)
		check(pread(tmp, buf, 64, 0) == 9 && !memcmp(buf, "temporary", 9) && lseek(tmp, 0, SEEK_CUR) == 9,
		      "O_TMPFILE");
	check(read_file("gone", buf, sizeof(buf)) == 29 && !strncmp(buf, "another", 7),
	      "the other file was touched: %s", buf);
	check(access("sparse", F_OK) && access("empty", F_OK) && access("shared", F_OK), "a name exists again");
	check(pwrite(shared, "written", 7, 0) == 7, "write");
	task_ready("written");
	join_task(pid);
	test_done();
}
