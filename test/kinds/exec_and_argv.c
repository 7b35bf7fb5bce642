// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments, environment and title as seen by other programs: changed in place, long, empty; compared from outside.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	static char before[70000], after[70000];
	long len, got;
	char **args, long_arg[60000];

	test_init(argc, argv);
	if (argc == 2) {
		args = calloc(8, sizeof(*args));
		memset(long_arg, 'x', sizeof(long_arg) - 1);
		long_arg[sizeof(long_arg) - 1] = 0;
		args[0] = argv[0];
		args[1] = argv[1];
		args[2] = (char *)"";
		args[3] = (char *)"with space\nand line";
		args[4] = long_arg;
		setenv("ODD", "a=b\n\001", 1);
		execv("/proc/self/exe", args);
		need(false, "exec");
	}
	memcpy(argv[0], "title", 5);
	prctl(PR_SET_NAME, "a (b) c");
	len = read_file("/proc/self/cmdline", before, sizeof(before));
	need(len > 60000 && !memcmp(before, "title", 5), "cmdline of %ld bytes", len);
	if (checkpoint_here())
		memcpy(argv[0], "other", 5);
	got = read_file("/proc/self/cmdline", after, sizeof(after));
	check(got == len && !memcmp(before, after, (size_t)len), "cmdline %ld %.20s", got, after);
	len = read_file("/proc/self/environ", after, sizeof(after));
	check(memmem(after, (size_t)len, "ODD=a=b\n\001", 9), "environ");
	check(getenv("ODD") && !strcmp(getenv("ODD"), "a=b\n\001") && !strcmp(argv[3], "with space\nand line"),
	      "seen by the process itself");
	test_done();
}
