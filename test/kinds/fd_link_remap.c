// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open by a name that was removed while another one exists: still one file after a restore, and no temporary name is
 * left. With --leave-running it remains: the images need it.
 * test: flavours=host,container breaks=1 options=--link-remap variants=restored,thrice
 */
#include "checkpoint.h"
#include <dirent.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct stat st, other;
	struct dirent *entry;
	char buf[32] = "";
	int fd, names = 0;
	DIR *d;

	test_init(argc, argv);
	mkdir("sub", 0755);
	fd = open("sub/first", O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && write(fd, "content", 7) == 7 && !link("sub/first", "second") && !unlink("sub/first"), "link");
	lseek(fd, 2, SEEK_SET);
	if (checkpoint_here())
		unlink("second");
	check(!fstat(fd, &st) && !stat("second", &other) && st.st_ino == other.st_ino, "two files now");
	check(st.st_nlink == 1, "%lu links", st.st_nlink);
	check(lseek(fd, 0, SEEK_CUR) == 2 && pread(fd, buf, 7, 0) == 7 && !strcmp(buf, "content"), "content %s", buf);
	check(access("sub/first", F_OK) < 0, "the first name exists again");
	d = opendir("sub");
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2) {
			names++;
			check(false, "%s is left in the directory", entry->d_name);
		}
	check(!names, "names are left");
	test_done();
}
