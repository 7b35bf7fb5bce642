// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories: position in the listing, a renamed one, one with 2000 entries half read, files below a renamed
 * directory.
 * test: flavours=host,container breaks=1
 */
#include "checkpoint.h"
#include <dirent.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	int moved, inside, root, seen[2000] = { 0 }, missing = 0;
	struct dirent *entry;
	char name[64], path[4096] = "";
	DIR *d;

	test_init(argc, argv);
	mkdir("many", 0755);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		write_file(name, "");
	}
	d = opendir("many");
	for (int i = 0; i < 700; i++)
		if ((entry = readdir(d)) && entry->d_name[0] != '.')
			seen[atoi(entry->d_name)]++;
	mkdir("old", 0755);
	mkdir("old/sub", 0755);
	write_file("old/sub/file", "deep");
	moved = open("old/sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	inside = open("old/sub/file", O_RDONLY);
	root = open("/", O_PATH | O_DIRECTORY);
	need(!rename("old", "new name") && moved >= 0 && inside >= 0 && root >= 0, "rename");
	write_file("old", "a file where the directory was");

	if (checkpoint_here()) {
		close(inside);
		inside = open("old", O_RDONLY);
	}

	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			seen[atoi(entry->d_name)]++;
	for (int i = 0; i < 2000; i++)
		missing += seen[i] != 1;
	check(!missing, "%d entries not seen exactly once", missing);
	check(!faccessat(moved, "file", R_OK, 0), "the moved directory");
	check(readlink("/proc/self/fd/0", path, sizeof(path) - 1) > 0, "readlink");
	check(read(inside, path, 10) == 4 && !memcmp(path, "deep", 4), "the file below it");
	check(!faccessat(root, "proc/self", F_OK, 0), "the root");
	test_done();
}
