// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unlinked file larger than --ghost-limit is refused by name.
 * test: options=--ghost-limit,1M refused='was unlinked.*--ghost-limit'
 */
#include "checkpoint.h"
#include <sys/stat.h>

int main(int argc, char **argv)
{
	static char block[1 << 20];
	struct stat st;
	int fd;

	test_init(argc, argv);
	fd = open("too big for the image", O_RDWR | O_CREAT, 0600);
	fill(block, sizeof(block), 1);
	need(fd >= 0 && write(fd, block, sizeof(block)) == sizeof(block) && write(fd, block, 5000) == 5000, "write");
	need(!unlink("too big for the image"), "unlink");
	if (checkpoint_here())
		ftruncate(fd, 0) ? abort() : 0;
	check(!fstat(fd, &st) && st.st_size == sizeof(block) + 5000, "size %ld", (long)st.st_size);
	test_done();
}
