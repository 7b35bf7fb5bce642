/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals in a devpts other than that of /dev. */
#pragma once
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>

/* A new instance; returns its path. */
static inline const char *own_devpts(void)
{
	static char dir[256];

	snprintf(dir, sizeof(dir), "%s", "devpts");
	mkdir(dir, 0755);
	need(realpath("devpts", dir) && !mount("devpts", dir, "devpts", 0, "newinstance,ptmxmode=666"), "devpts");
	return dir;
}

static inline int open_pair_in(const char *dir, int *master)
{
	int number, lock = 0;
	char name[300];

	snprintf(name, sizeof(name), "%s/ptmx", dir);
	*master = open(name, O_RDWR | O_NOCTTY);
	need(*master >= 0 && !ioctl(*master, TIOCSPTLCK, &lock) && !ioctl(*master, TIOCGPTN, &number), "%s", name);
	snprintf(name, sizeof(name), "%s/%d", dir, number);
	return open(name, O_RDWR | O_NOCTTY);
}
