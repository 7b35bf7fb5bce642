/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces that name the maps of idmapped mounts. */
#ifndef TEST_IDMAP_H
#define TEST_IDMAP_H
#include "checkpoint.h"
#include <sched.h>
#include <sys/wait.h>

static inline void idmap_write(pid_t pid, const char *name, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY);
	need(fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map), "%s (errno %d)", path, errno);
	close(fd);
}

/* It has no process. */
static inline int idmap_user_ns(const char *map)
{
	int ready[2], go[2], fd;
	char path[64], c;
	pid_t pid;

	need(!pipe(ready) && !pipe(go), "pipe");
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (unshare(CLONE_NEWUSER) || write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) < 0);
	}
	close(ready[1]);
	need(read(ready[0], &c, 1) == 1, "user namespace");
	idmap_write(pid, "uid_map", map);
	idmap_write(pid, "gid_map", map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY);
	need(fd >= 0, "%s", path);
	close(go[1]);
	waitpid(pid, NULL, 0);
	close(go[0]);
	close(ready[0]);
	return fd;
}

#endif
