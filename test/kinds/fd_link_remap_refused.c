// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open by a removed name while another one exists, without --link-remap: refused, naming the option.
 * test: refused=link-remap
 */
#include "checkpoint.h"
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	test_init(argc, argv);
	fd = open("first", O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && !link("first", "second") && !unlink("first"), "link");
	if (checkpoint_here())
		unlink("second");
	check(!fstat(fd, &st) && st.st_nlink == 1, "%lu links", st.st_nlink);
	check(access("first", F_OK) < 0, "the first name exists again");
	test_done();
}
