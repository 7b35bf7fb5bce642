// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts of a container: file systems of all kinds that a restore creates, binds of directories and files, overmounts, mounts
 * beneath others, flags of mounts and of file systems, peer groups, masters, unbindable ones, names with special characters; and
 * files that are open on them. What /proc/self/mountinfo shows is compared but for the numbers, and propagation is tried.
 * test: flavours=container breaks=5 ignore=.
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MAX 128
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

struct seen {
	int id, parent, shared, master, propagate_from;
	char device[32], root[512], point[512], options[256], type[64], source[256], super[512];
	bool unbindable;
};

struct list {
	struct seen v[MAX];
	int n;
};

static void read_mounts(struct list *list)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], *at;

	need(f, "mountinfo");
	list->n = 0;
	while (fgets(line, sizeof(line), f)) {
		struct seen *s = &list->v[list->n++];
		int used = 0;

		need(list->n < MAX, "too many mounts");
		memset(s, 0, sizeof(*s));
		need(sscanf(line, "%d %d %31s %511s %511s %255s%n", &s->id, &s->parent, s->device, s->root, s->point,
			    s->options, &used) == 6,
		     "%s", line);
		for (at = strtok(line + used, " "); at && strcmp(at, "-"); at = strtok(NULL, " ")) {
			sscanf(at, "shared:%d", &s->shared);
			sscanf(at, "master:%d", &s->master);
			sscanf(at, "propagate_from:%d", &s->propagate_from);
			s->unbindable |= !strcmp(at, "unbindable");
		}
		snprintf(s->type, sizeof(s->type), "%s", strtok(NULL, " "));
		snprintf(s->source, sizeof(s->source), "%s", strtok(NULL, " "));
		snprintf(s->super, sizeof(s->super), "%s", strtok(NULL, "\n"));
	}
	fclose(f);
}

static const struct seen *by_id(const struct list *list, int id)
{
	for (int i = 0; i < list->n; i++)
		if (list->v[i].id == id)
			return &list->v[i];
	return NULL;
}

/* How many mounts it lies on: distinguishes those at one place. */
static int depth(const struct list *list, const struct seen *s)
{
	int n = 0;

	while ((s = by_id(list, s->parent)))
		n++;
	return n;
}

static const struct seen *same_place(const struct list *list, const struct seen *as, int level)
{
	for (int i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].point, as->point) && depth(list, &list->v[i]) == level)
			return &list->v[i];
	return NULL;
}

/* The mounts of this group, as indexes into @list. */
static bool same_members(const struct list *a, const struct list *b, int group_a, int group_b)
{
	if (!group_a || !group_b)
		return group_a == group_b;
	for (int i = 0; i < a->n; i++) {
		const struct seen *s = &a->v[i], *other = same_place(b, s, depth(a, s));

		if (!other || (s->shared == group_a) != (other->shared == group_b) ||
		    (s->master == group_a) != (other->master == group_b))
			return false;
	}
	return true;
}

static void compare(const struct list *a, const struct list *b)
{
	check(a->n == b->n, "%d mounts, %d before", b->n, a->n);
	for (int i = 0; i < a->n; i++) {
		const struct seen *s = &a->v[i], *t = same_place(b, s, depth(a, s));

		check(t, "%s is missing", s->point);
		if (!t)
			continue;
		check(!strcmp(s->root, t->root), "%s: root %s, before %s", s->point, t->root, s->root);
		check(!strcmp(s->options, t->options), "%s: options %s, before %s", s->point, t->options, s->options);
		check(!strcmp(s->type, t->type), "%s: type %s, before %s", s->point, t->type, s->type);
		check(!strcmp(s->source, t->source), "%s: source %s, before %s", s->point, t->source, s->source);
		check(!strcmp(s->super, t->super), "%s: file system %s, before %s", s->point, t->super, s->super);
		check(s->unbindable == t->unbindable, "%s: unbindable", s->point);
		check(same_members(a, b, s->shared, t->shared), "%s: peers", s->point);
		check(same_members(a, b, s->master, t->master), "%s: master", s->point);
	}
}

/* ---- the mounts ---- */

static const char *dir(const char *name)
{
	char *path = test_path(name);

	need(!mkdir(path, 0755) || errno == EEXIST, "%s (errno %d)", path, errno);
	return path;
}

static void do_mount(const char *source, const char *to, const char *type, unsigned long flags, const char *options)
{
	need(!mount(source, to, type, flags, options), "mount %s at %s (errno %d)", type ?: "", to, errno);
}

static void bind_to(const char *from, const char *to, unsigned long flags)
{
	do_mount(from, to, NULL, MS_BIND, NULL);
	if (flags)
		do_mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL);
}

static void file_systems(void)
{
	do_mount("none", dir("tmpfs"), "tmpfs", MS_NOSUID, "size=300k,nr_inodes=77,mode=751,uid=5,gid=6");
	do_mount("a b", dir("read only"), "tmpfs", MS_RDONLY | MS_NOATIME | MS_NOEXEC, "mode=700");
	do_mount("proc", dir("proc"), "proc", MS_NODEV, "hidepid=2");
	bind_to(test_path("proc/sys"), test_path("proc/sys"), MS_RDONLY | MS_NOSUID);
	bind_to("/dev/null", test_path("proc/timer_list"), 0);
	bind_to(test_path("proc/1"), dir("init"), 0);
	do_mount("sysfs", dir("sysfs"), "sysfs", MS_RDONLY, NULL);
	do_mount("pts", dir("pts"), "devpts", MS_NOEXEC, "newinstance,mode=600,ptmxmode=640,gid=7");
	do_mount("queue", dir("mqueue"), "mqueue", MS_STRICTATIME, NULL);
	do_mount("links", dir("links"), "tmpfs", MS_NOSYMFOLLOW | MS_SYNCHRONOUS | MS_DIRSYNC, NULL);
	/* Where the kernel has it. */
	if (!mount("formats", dir("a format"), "binfmt_misc", MS_NOSUID | MS_NOEXEC, NULL)) {
		do_mount("formats", dir("formats"), "binfmt_misc", 0, NULL);
		do_mount("formats", dir("the formats"), "binfmt_misc", MS_NODEV, NULL);
	}
	do_mount("over", dir("line\nbreak"), "tmpfs", MS_NODIRATIME, NULL);
}

static void binds(void)
{
	write_file(test_path("file"), "below");
	dir("a");
	dir("a/b");
	dir("a/b/c");
	write_file(test_path("a/b/name"), "of a");
	write_file(test_path("target"), "");
	bind_to(test_path("file"), test_path("target"), MS_RDONLY);
	bind_to(test_path("a/b"), dir("bound"), MS_NODEV | MS_NOEXEC | MS_NOSUID);
	/* The deeper one is attached first, and hidden. */
	do_mount("deep", test_path("a/b/c"), "tmpfs", 0, NULL);
	do_mount("cover", test_path("a"), "tmpfs", 0, NULL);
	do_mount("cover", test_path("a"), "tmpfs", 0, NULL);
}

static bool is_beneath;

/* Linux 6.5. The parent has a larger number than its child. */
static void beneath(void)
{
	int fd;

	do_mount("top", dir("beneath"), "tmpfs", MS_NOSUID, "size=200k");
	write_file(test_path("beneath/of_top"), "");
	do_mount("low", dir("low"), "tmpfs", MS_NODEV, "size=100k");
	write_file(test_path("low/of_low"), "");
	fd = open_tree(AT_FDCWD, test_path("low"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	need(fd >= 0 && !umount2(test_path("low"), MNT_DETACH), "clone (errno %d)", errno);
	is_beneath = !move_mount(fd, "", AT_FDCWD, test_path("beneath"), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH);
	need(is_beneath || errno == EINVAL, "mount beneath (errno %d)", errno);
	close(fd);
}

static void check_beneath(void)
{
	check(!access(test_path("beneath/of_top"), F_OK), "the upper one of two");
	umount2(test_path("beneath"), 0);
	if (is_beneath)
		check(!access(test_path("beneath/of_low"), F_OK), "the one beneath");
}

static void groups(void)
{
	char *one = strdup(dir("one")), *two = strdup(dir("two")), *three = strdup(dir("three"));
	char *four = strdup(dir("four")), *part = strdup(dir("part")), *narrow = strdup(dir("narrow"));

	dir("from");
	dir("from/in");
	dir("from/out");
	bind_to(test_path("from"), one, 0);
	do_mount(NULL, one, NULL, MS_SHARED, NULL);
	bind_to(one, two, 0);
	/* A slave, that is a group of its own, with a slave. */
	bind_to(one, three, 0);
	do_mount(NULL, three, NULL, MS_SLAVE, NULL);
	do_mount(NULL, three, NULL, MS_SHARED, NULL);
	bind_to(three, four, 0);
	do_mount(NULL, four, NULL, MS_SLAVE, NULL);
	/* Peers that show different parts, once the mount that both were in is private. */
	bind_to(test_path("from"), dir("gone"), 0);
	do_mount(NULL, test_path("gone"), NULL, MS_SHARED, NULL);
	bind_to(test_path("gone/in"), part, 0);
	bind_to(test_path("gone/out"), narrow, 0);
	do_mount(NULL, test_path("gone"), NULL, MS_PRIVATE, NULL);
	bind_to(test_path("from"), dir("unbindable"), 0);
	do_mount(NULL, test_path("unbindable"), NULL, MS_UNBINDABLE, NULL);
}

/* Another file system than that of the directory "from", which may itself be a tmpfs. */
static bool is_new(const char *path)
{
	struct stat here, below;

	return !stat(path, &here) && !stat(test_path("from"), &below) && here.st_dev != below.st_dev;
}

/* What is mounted on a peer appears in the others. */
static void try_groups(void)
{
	do_mount("new", test_path("two/in"), "tmpfs", 0, NULL);
	check(is_new(test_path("one/in")), "peer");
	check(is_new(test_path("three/in")), "slave");
	check(is_new(test_path("four/in")), "slave of a slave");
	check(!is_new(test_path("unbindable/in")), "unbindable");
	do_mount("new", test_path("three/out"), "tmpfs", 0, NULL);
	check(!is_new(test_path("one/out")), "master");
	check(is_new(test_path("four/out")), "slave of a peer");
	check(mount(test_path("unbindable"), test_path("bound"), NULL, MS_BIND, NULL) < 0, "bind of an unbindable one");
}

static void corrupt(int fault)
{
	if (fault == 1)
		do_mount(NULL, test_path("two"), NULL, MS_PRIVATE, NULL);
	if (fault == 2)
		do_mount(NULL, test_path("tmpfs"), NULL, MS_REMOUNT | MS_BIND, NULL);
	if (fault == 3)
		umount2(test_path("a"), MNT_DETACH);
	if (fault == 4)
		do_mount(NULL, test_path("tmpfs"), NULL, MS_REMOUNT | MS_NOSUID, "size=400k");
	if (fault == 5)
		umount2(test_path("target"), MNT_DETACH);
}

int main(int argc, char **argv)
{
	static struct list before, after;
	char text[16];
	int file, null;

	test_init(argc, argv);
	file_systems();
	binds();
	beneath();
	groups();
	file = open(test_path("target"), O_RDONLY);
	null = open(test_path("proc/timer_list"), O_RDWR);
	need(file >= 0 && null >= 0, "open (errno %d)", errno);
	read_mounts(&before);
	corrupt(checkpoint_here());
	read_mounts(&after);
	compare(&before, &after);
	check(read(file, text, sizeof(text)) == 5 && !memcmp(text, "below", 5), "open file");
	check(write(null, "x", 1) == 1, "open device");
	check(open(test_path("target"), O_WRONLY) < 0 && errno == EROFS, "read-only file");
	check(open(test_path("read only/x"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "read-only tmpfs");
	check_beneath();
	try_groups();
	test_done();
}
