// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd: content, holes, seals, name, offset, mode; mapped shared and private, also with the descriptor closed.
 * test: flavours=host,pid,container,user,owned,rootless breaks=3 decode=yes
 */
#include "checkpoint.h"
#include <sys/stat.h>

#define SIZE (1UL << 20)

int main(int argc, char **argv)
{
	int plain, sealed, closed, brk, ro, child_sees;
	char *map, *priv, *only_map, path[64], link[256] = "";
	struct stat st;

	test_init(argc, argv);
	plain = memfd_create("a name, with (odd) things", MFD_CLOEXEC);
	sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
	closed = memfd_create("closed", 0);
	need(plain >= 0 && sealed >= 0 && closed >= 0, "memfd");
	need(!ftruncate(plain, SIZE + 123) && !ftruncate(closed, SIZE), "size");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	fill(map, SIZE / 2, 1);
	lseek(plain, 77, SEEK_SET);
	fchmod(plain, 0640);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	ro = open(path, O_RDONLY);
	priv = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, plain, 0);
	memset(priv + 4096, 'p', 4096);
	only_map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, closed, 0);
	fill(only_map, SIZE, 2);
	close(closed);
	need(write(sealed, "sealed content", 14) == 14, "write");
	need(!fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE), "seal");

	brk = checkpoint_here();
	if (brk == 1)
		map[7]++;
	if (brk == 2)
		fcntl(sealed, F_ADD_SEALS, F_SEAL_SEAL);
	if (brk == 3)
		lseek(plain, 0, SEEK_SET);

	check(!fstat(plain, &st) && st.st_size == SIZE + 123 && (st.st_mode & 0777) == 0640, "size %ld mode %o",
	      (long)st.st_size, st.st_mode);
	check(st.st_blocks * 512 < (blkcnt_t)(SIZE / 2 + 65536), "holes were filled: %ld blocks", (long)st.st_blocks);
	check(lseek(plain, 0, SEEK_CUR) == 77 && lseek(ro, 0, SEEK_CUR) == 0, "offset %ld",
	      (long)lseek(plain, 0, SEEK_CUR));
	check((fcntl(ro, F_GETFL) & O_ACCMODE) == O_RDONLY && write(ro, "x", 1) < 0, "the reader can write");
	check(fcntl(plain, F_GETFD) == FD_CLOEXEC, "close on exec");
	check(readlink(path, link, sizeof(link) - 1) > 0 && !strcmp(link, "/memfd:a name, with (odd) things (deleted)"),
	      "link %s", link);
	check(!wrong(map, SIZE / 2, 1) && !map[SIZE / 2] && !map[SIZE - 1], "content");
	check(priv[4096] == 'p' && priv[8191] == 'p' && !memcmp(priv, map, 4096), "private mapping");
	check(pwrite(plain, "through", 7, 5) == 7 && !memcmp(map + 5, "through", 7),
	      "mapping and descriptor refer to two files");
	check(pread(ro, link, 7, 5) == 7 && !memcmp(link, "through", 7), "the reader is of another file");
	check(!wrong(only_map, SIZE, 2), "mapping without descriptor");
	check(fcntl(sealed, F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE), "seals %x",
	      fcntl(sealed, F_GET_SEALS));
	check(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL, "seals of the plain one %x", fcntl(plain, F_GET_SEALS));
	check(pread(sealed, link, 14, 0) == 14 && !memcmp(link, "sealed content", 14) &&
		      lseek(sealed, 0, SEEK_CUR) == 14,
	      "sealed content");
	check(write(sealed, "x", 1) < 0 && errno == EPERM, "the sealed one accepts more");
	child_sees = fork();
	if (!child_sees) {
		only_map[0] = 'c';
		_exit(0);
	}
	join_task(child_sees);
	check(only_map[0] == 'c', "not shared with a new child");
	test_done();
}
