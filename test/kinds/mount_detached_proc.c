// SPDX-License-Identifier: GPL-2.0-only
/*
 * A proc that has never been attached, with options, held by a descriptor of fsmount(2), as libraries that do not trust /proc do (libpathrs).
 * Two descriptors of one description, and a child that has both; what it shows, that is of the pid namespace of the tree, and which flags it
 * has.
 * test: breaks=2 decode=yes flavours=host,container
 */
#include "detached.h"

static int keeper, same;

static int create(unsigned attributes)
{
	int fs = (int)syscall(SYS_fsopen, "proc", 0), fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "hidepid", "ptraceable", 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		test_skip("no proc with options can be created");
	fd = (int)syscall(SYS_fsmount, fs, 0, attributes);
	if (fd < 0)
		test_skip("no proc can be mounted");
	close(fs);
	detached_need_copies(fd);
	return fd;
}

static void look(void)
{
	char name[32], self[32] = "";
	struct stat st;

	snprintf(name, sizeof(name), "%d", getpid());
	check(readlinkat(keeper, "self", self, sizeof(self) - 1) > 0 && !strcmp(self, name), "self: %s, not %s", self,
	      name);
	check(fstatat(keeper, "sys", &st, 0) < 0 && errno == ENOENT, "subset");
	check(mount_flags(keeper) & ST_NOEXEC && !(mount_flags(keeper) & ST_NOSUID), "flags %#lx", mount_flags(keeper));
	check(mount_of(same) == mount_of(keeper), "mounts");
}

static int child(void *arg)
{
	const int round = *(int *)arg;
	static char mounts[1 << 16];
	const char *line;

	checkpoint_task("child", round);
	look();
	detached_own_mounts();
	detached_attach(keeper, "point");
	check(read_file("/proc/self/mountinfo", mounts, sizeof(mounts)) > 0, "mountinfo");
	line = strstr(mounts, "/point ");
	check(line && strstr(line, "hidepid=ptraceable,subset=pid"), "options: %s", line ?: "none");
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir("point", 0755), "mkdir");
	keeper = create(MOUNT_ATTR_NOEXEC);
	same = dup(keeper);
	pid = fork_task(child, &round);
	await_task("child");
	switch (checkpoint_here()) {
	case 1:
		dup2(open("/proc", O_PATH), keeper);
		break;
	case 2:
		dup2(create(0), keeper);
		break;
	}
	look();
	join_task(pid);
	test_done();
}
