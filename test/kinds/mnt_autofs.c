// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts of an automounter that is a process of the tree: indirect, with a directory that is mounted on, one in another one, and a
 * symbolic link; direct, before and after it has mounted something there; one without a daemon (catatonic). Afterwards it gets
 * requests for what is accessed, with the numbers of the process, and its answers release that.
 * test: breaks=3 decode=yes flavours=container restore-options=--enable-fs,autofs ignore=fd/[0-9]+/ino
 */
#include "checkpoint.h"
#include <linux/auto_fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { AUTO, DIRECT, DIRECT_2, DEAF, NR };
static const char *const names[NR] = { "auto", "direct", "direct2", "deaf" };
static int reads[NR], roots[NR];

static void mount_file(const char *dir, const char *name, const char *text)
{
	char path[300];

	need(!mount("by the daemon", dir, "tmpfs", 0, "size=64k"), "mount %s", dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	write_file(path, text);
}

static void mount_auto(int i)
{
	char options[100];
	unsigned long timeout = 70 + (unsigned long)i;
	int ends[2];

	need(!pipe2(ends, O_CLOEXEC), "pipe");
	/* As systemd: only the kernel has the writing end. */
	if (i == AUTO || i == DEAF) {
		need(dup2(ends[1], 50 + i) == 50 + i && !close(ends[1]), "number");
		ends[1] = 50 + i;
	}
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,%s", ends[1], getpgrp(),
		 i == DIRECT || i == DIRECT_2 ? "direct" : "indirect");
	need(!mount("automounter", names[i], "autofs", 0, options), "mount %s", names[i]);
	reads[i] = ends[0];
	roots[i] = open(names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(roots[i] >= 0 && !ioctl(roots[i], AUTOFS_IOC_SETTIMEOUT, &timeout), "root of %s", names[i]);
	if (i == AUTO || i == DEAF)
		need(!close(ends[1]), "close");
	/* The number of its writing end is that of another file by now. */
	if (i == AUTO)
		need(dup2(ends[0], 50 + i) == 50 + i, "number");
}

/* The kernel waits for an answer. */
static void serve(int i)
{
	union autofs_v5_packet_union packet;
	const struct autofs_v5_packet *p = &packet.v5_packet;
	char path[400], text[100];

	need(read(reads[i], &packet, sizeof(packet)) == sizeof(packet), "request");
	snprintf(text, sizeof(text), "%d %d %d", packet.hdr.type, p->pid, p->uid);
	snprintf(path, sizeof(path), "%s", names[i]);
	if (i == AUTO) {
		need(!mkdirat(roots[i], p->name, 0755), "mkdir %s", p->name);
		snprintf(path, sizeof(path), "%s/%s", names[i], p->name);
	}
	mount_file(path, "request", text);
	need(!ioctl(roots[i], AUTOFS_IOC_READY, p->wait_queue_token), "answer");
}

static int automount(void *arg)
{
	struct pollfd polled[NR];

	need(!setpgid(0, 0), "group");
	for (int i = 0; i < NR; i++)
		mount_auto(i);
	need(!mkdir("auto/held", 0711) && !mkdir("auto/nest", 0700) && !mkdir("auto/nest/deep", 0755) &&
		     !symlink("held/file", "auto/link") && !lchown("auto/nest", 5, 6) && !chown("auto", 7, 8),
	     "directories");
	mount_file("auto/held", "file", "held");
	mount_file("auto/nest/deep", "file", "deep");
	mount_file("direct2", "request", "before");
	need(!close(roots[DIRECT_2]), "close");
	need(!ioctl(roots[DEAF], AUTOFS_IOC_CATATONIC, 0), "without a daemon");
	for (int i = 0; i < NR; i++)
		polled[i] = (struct pollfd){ .fd = i == DEAF ? -1 : reads[i], .events = POLLIN };
	task_ready("daemon");
	while (poll(polled, NR, -1) > 0)
		for (int i = 0; i < NR; i++)
			if (polled[i].revents)
				serve(i);
	return 1;
}

static void check_text(const char *path, const char *text)
{
	char found[100] = "";

	read_file(path, found, sizeof(found));
	check(!strcmp(found, text), "%s: '%s' instead of '%s'", path, found, text);
}

/* Its options, but for the number of the pipe, which is another one. */
static void find_options(int i, char *to, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1000], at[300];

	snprintf(at, sizeof(at), " %s/%s ", test_dir(), names[i]);
	to[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *from = strstr(line, " - autofs "), *ino = strstr(line, ",pipe_ino=");

		if (!from || !ino || !strstr(line, at))
			continue;
		if (strncmp(ino, ",pipe_ino=-1", 12))
			*ino = 0;
		snprintf(to, size, "%s", from);
	}
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	char before[NR][300], after[300], text[100];
	struct stat st = { 0 };
	pid_t daemon;

	test_init(argc, argv);
	if (access("/dev/autofs", F_OK))
		test_skip("there is no /dev/autofs");
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	for (int i = 0; i < NR; i++)
		need(!mkdir(names[i], 0755), "%s", names[i]);
	daemon = fork_task(automount, NULL);
	await_task("daemon");
	for (int i = 0; i < NR; i++)
		find_options(i, before[i], sizeof(before[i]));

	switch (checkpoint_here()) {
	case 1:
		kill(daemon, SIGKILL);
		break;
	case 2:
		umount2("auto/held", MNT_DETACH);
		break;
	case 3:
		umount2("deaf", MNT_DETACH);
		break;
	}
	for (int i = 0; i < NR; i++) {
		find_options(i, after, sizeof(after));
		check(before[i][0] && !strcmp(before[i], after), "%s: '%s' instead of '%s'", names[i], after,
		      before[i]);
	}
	check_text("auto/held/file", "held");
	check_text("auto/link", "held");
	check_text("auto/nest/deep/file", "deep");
	check(!lstat("auto/nest", &st) && st.st_uid == 5 && st.st_gid == 6 && st.st_mode == (S_IFDIR | 0700),
	      "%u:%u %o", st.st_uid, st.st_gid, st.st_mode);
	check(!lstat("auto", &st) && st.st_uid == 7 && st.st_gid == 8, "%u:%u", st.st_uid, st.st_gid);
	check_text("direct2/request", "before");
	snprintf(text, sizeof(text), "%d %d %d", autofs_ptype_missing_indirect, getpid(), getuid());
	check_text("auto/first/request", text);
	check_text("auto/second/request", text);
	snprintf(text, sizeof(text), "%d %d %d", autofs_ptype_missing_direct, getpid(), getuid());
	check_text("direct/request", text);
	check(access("deaf/any", F_OK) && errno == ENOENT, "without a daemon");
	kill(daemon, SIGKILL);
	waitpid(daemon, NULL, 0);
	test_done();
}
