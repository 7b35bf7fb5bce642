// SPDX-License-Identifier: GPL-2.0-only
/*
 * The working directory has been removed; so has an open directory.
 * test: flavours=host,container breaks=1
 */
#include "checkpoint.h"
#include <sys/stat.h>

int main(int argc, char **argv)
{
	char cwd[4096];
	struct stat st;
	int fd;

	test_init(argc, argv);
	mkdir("removed", 0711);
	mkdir("removed too", 0750);
	fd = open("removed too", O_RDONLY | O_DIRECTORY);
	need(!chdir("removed") && !rmdir(test_path("removed")) && !rmdir(test_path("removed too")), "rmdir");
	if (checkpoint_here())
		need(!chdir("/"), "break");
	check(!getcwd(cwd, sizeof(cwd)) && errno == ENOENT, "cwd has a name");
	check(!stat(".", &st) && S_ISDIR(st.st_mode), "no directory");
	check(!fstat(fd, &st) && S_ISDIR(st.st_mode) && st.st_nlink == 0 && (st.st_mode & 0777) == 0750,
	      "mode %o, %lu links", st.st_mode, st.st_nlink);
	check(access(test_path("removed"), F_OK) < 0 && access(test_path("removed too"), F_OK) < 0,
	      "the names exist again");
	test_done();
}
