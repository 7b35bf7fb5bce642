// SPDX-License-Identifier: GPL-2.0-only
/*
 * Overlays inside a container, and in a user namespace: of several lower directories, with removed and replaced names; one that
 * covers its own lower directory; one of directories in another overlay; a read-only one; names with special characters; a bind of a part; a mount
 * on it; and open, removed and mapped files, a working directory.
 * test: flavours=container,rootless breaks=4 decode=yes ignore=. user-root=container
 */
#include "checkpoint.h"
#include <stdarg.h>
#include <sys/mount.h>

static char base[256];

static const char *at(const char *name)
{
	static char paths[8][512];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static void make_dirs(const char *names)
{
	char *all = strdup(names), *name;

	for (name = strtok(all, " "); name; name = strtok(NULL, " "))
		need(!mkdir(at(name), 0755), "%s (errno %d)", name, errno);
	free(all);
}

static bool in_user_ns(void)
{
	char map[256];

	return read_file("/proc/self/uid_map", map, sizeof(map)) > 0 && !strstr(map, "4294967295");
}

static void overlay(const char *to, const char *format, ...)
{
	char options[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(options, sizeof(options), format, args);
	va_end(args);
	/* Only root of the initial user namespace has the others. */
	if (in_user_ns())
		strcat(options, ",userxattr");
	if (mount("layers", at(to), "overlay", MS_NODEV, options) && errno == ENODEV)
		test_skip("no overlay");
	need(!access(at(to), F_OK), "%s", to);
}

static bool has_text(const char *name, const char *text)
{
	char buf[64];

	return read_file(at(name), buf, sizeof(buf)) == (long)strlen(text) && !strcmp(buf, text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Their lines of mountinfo without ids, sorted. */
static void overlays(char *to, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], *lines[32];
	size_t n = 0, len = 0;

	need(f, "mountinfo");
	while (fgets(line, sizeof(line), f)) {
		char *root = line;

		if (!strstr(line, " overlay ") || !strstr(line, base))
			continue;
		for (int i = 0; i < 3; i++)
			root = strchr(root, ' ') + 1;
		need(n < 32, "lines");
		lines[n++] = strdup(root);
	}
	fclose(f);
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(to + len, size - len, "%s", lines[i]);
	need(n == 6, "%zu overlays", n);
}

static void build(void)
{
	snprintf(base, sizeof(base), "%s", test_path("t"));
	need(!mkdir(base, 0755) && !mount("layers", base, "tmpfs", 0, "size=4m"), "tmpfs (errno %d)", errno);
	make_dirs("l1 l2 l3 u w m l1/dir l2/dir l2/gone c cu cw x,y:z xu xw special ro part over nl nu nw nested");
	write_file(at("l1/first"), "one");
	write_file(at("l2/second"), "two");
	write_file(at("l2/first"), "hidden");
	write_file(at("l2/dir/replaced"), "old");
	write_file(at("l3/third"), "three");
	write_file(at("l3/removed"), "three");
	write_file(at("x,y:z/name"), "special");
	write_file(at("c/below"), "below");
	overlay("m", "lowerdir=%s:%s:%s,upperdir=%s,workdir=%s", at("l1"), at("l2"), at("l3"), at("u"), at("w"));
	need(!unlink(at("m/removed")) && !rmdir(at("m/gone")), "remove (errno %d)", errno);
	need(!unlink(at("m/dir/replaced")) && !rmdir(at("m/dir")) && !mkdir(at("m/dir"), 0700), "replace");
	write_file(at("m/dir/new"), "new");
	write_file(at("m/open"), "0123456789");
	write_file(at("m/unlinked"), "without a name");
	overlay("c", "lowerdir=%s,upperdir=%s,workdir=%s", at("c"), at("cu"), at("cw"));
	write_file(at("c/above"), "above");
	overlay("special", "lowerdir=%s/x\\,y\\:z,upperdir=%s,workdir=%s", base, at("xu"), at("xw"));
	overlay("ro", "lowerdir=%s:%s", at("l3"), at("l2"));
	make_dirs("m/lower m/lower/deep");
	write_file(at("m/lower/deep/file"), "deep");
	overlay("nested", "lowerdir=%s:%s,upperdir=%s,workdir=%s", at("m/lower"), at("nl"), at("nu"), at("nw"));
	need(!mount(at("m/dir"), at("part"), NULL, MS_BIND, NULL), "bind (errno %d)", errno);
	make_dirs("m/point");
	need(!mount("on", at("m/point"), "tmpfs", 0, "size=100k"), "tmpfs");
	write_file(at("m/point/on"), "on");
}

static void corrupt(int fault)
{
	if (fault == 1)
		umount2(at("nested"), MNT_DETACH);
	if (fault == 2)
		umount2(at("c"), MNT_DETACH);
	if (fault == 3)
		write_file(at("m/removed"), "again");
	if (fault == 4)
		umount2(at("part"), MNT_DETACH);
}

static void check_layers(void)
{
	struct stat st;

	check(has_text("m/first", "one") && has_text("m/second", "two") && has_text("m/third", "three"), "lower files");
	check(access(at("m/removed"), F_OK) < 0 && access(at("m/gone"), F_OK) < 0, "removed names");
	check(has_text("m/dir/new", "new") && access(at("m/dir/replaced"), F_OK) < 0, "replaced directory");
	check(has_text("part/new", "new"), "bind of a part");
	check(has_text("c/below", "below") && has_text("c/above", "above"), "one that covers its lower directory");
	check(has_text("special/name", "special"), "special characters");
	check(has_text("ro/third", "three") && has_text("ro/second", "two"), "without an upper directory");
	check(open(at("ro/x"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "read-only");
	check(has_text("nested/deep/file", "deep"), "in another overlay");
	check(has_text("m/point/on", "on"), "a mount on it");
	write_file(at("m/second"), "changed");
	check(has_text("u/second", "changed") && has_text("l2/second", "two"), "a copy in the upper directory");
	write_file(at("nested/deep/file"), "changed");
	check(has_text("nu/deep/file", "changed") && has_text("m/lower/deep/file", "deep"), "a copy of a nested one");
	check(!umount(at("c")) && has_text("c/below", "below") && access(at("c/above"), F_OK) < 0, "below");
	check(!stat(at("m"), &st) && st.st_mode == (S_IFDIR | 0755), "root directory");
}

int main(int argc, char **argv)
{
	static char before[16384], after[16384];
	char text[32] = "", cwd[512];
	int lower, upper, removed;
	char *map;

	test_init(argc, argv);
	build();
	lower = open(at("m/first"), O_RDONLY);
	upper = open(at("m/open"), O_RDWR);
	removed = open(at("m/unlinked"), O_RDWR);
	need(lower >= 0 && upper >= 0 && removed >= 0 && !unlink(at("m/unlinked")), "open (errno %d)", errno);
	need(lseek(upper, 4, SEEK_SET) == 4 && !chdir(at("m/dir")), "position");
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, upper, 0);
	need(map != MAP_FAILED, "map");
	overlays(before, sizeof(before));
	corrupt(checkpoint_here());
	overlays(after, sizeof(after));
	check(!strcmp(before, after), "mounts:\n%s\nbefore:\n%s", after, before);
	check(read(lower, text, 8) == 3 && !memcmp(text, "one", 3), "file of a lower directory: %.3s", text);
	check(read(upper, text, 3) == 3 && !memcmp(text, "456", 3), "file of the upper directory: %.3s", text);
	map[0] = 'M';
	check(has_text("m/open", "M123456789"), "mapping");
	check(pread(removed, text, 30, 0) == 14 && !memcmp(text, "without a name", 14), "removed file");
	check(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, at("m/dir")) && !access("new", F_OK), "working directory");
	check_layers();
	test_done();
}
