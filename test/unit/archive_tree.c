// SPDX-License-Identifier: GPL-2.0-only
/* Trees are saved and loaded; GNU tar reads what we write, and we read what it writes. Needs root, in namespaces of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/fs_archive.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/str.h"
#include "util_check.h"
#include "util_files.h"

static char base[] = "/tmp/archive_tree.XXXXXX";
static int from, to; /* two file systems */

/* ---- extras, kept in memory ---- */

ARRAY_OF(extras, struct fs_archive_extra);
static struct extras extras;
static size_t extras_read;

static struct fs_xattr *copy_xattrs(const struct fs_archive_extra *extra)
{
	struct fs_xattr *all = calloc(extra->nr_xattrs + 1, sizeof(*all));

	for (size_t i = 0; i < extra->nr_xattrs; i++) {
		void *value = malloc(extra->xattrs[i].len + 1);

		memcpy(value, extra->xattrs[i].value, extra->xattrs[i].len);
		all[i] = (struct fs_xattr){ strdup(extra->xattrs[i].name), value, extra->xattrs[i].len };
	}
	return all;
}

static int keep_extra(void *arg, const struct fs_archive_extra *extra)
{
	struct fs_archive_extra copy = *extra;

	copy.path = strdup(extra->path);
	copy.link = extra->link ? strdup(extra->link) : NULL;
	copy.xattrs = copy_xattrs(extra);
	return array_add(&extras, copy);
}

static void forget_extras(void)
{
	for (size_t i = 0; i < extras.n; i++) {
		struct fs_archive_extra *extra = &extras.v[i];

		for (size_t j = 0; j < extra->nr_xattrs; j++) {
			free((char *)extra->xattrs[j].name);
			free((void *)extra->xattrs[j].value);
		}
		free((void *)extra->xattrs);
		free((char *)extra->link);
		free((char *)extra->path);
	}
	free(extras.v);
	extras = (struct extras){ 0 };
}

static int next_extra(void *arg, struct fs_archive_extra *ret)
{
	if (extras_read == extras.n)
		return 0;
	*ret = extras.v[extras_read++];
	return 1;
}

/* ---- saving and loading ---- */

static int keep_bytes(void *arg, const void *bytes, size_t len)
{
	return buf_add(arg, bytes, len);
}

static int save(int dir, struct buf *archive)
{
	const struct fs_archive_output out = { .write = keep_bytes,
					       .extra = keep_extra,
					       .arg = archive,
					       .unmapped_uid = FS_ARCHIVE_ALL_MAPPED,
					       .unmapped_gid = FS_ARCHIVE_ALL_MAPPED };

	forget_extras();
	return fs_archive_save(dir, &out);
}

static int load(int dir, const struct buf *archive)
{
	const struct fs_archive_input in = { .bytes = (const uint8_t *)archive->data,
					     .len = archive->len,
					     .next_extra = next_extra };

	extras_read = 0;
	return fs_archive_load(dir, &in);
}

/* Returns the exit status. Both as CRIU 4.2 runs it. */
static int gnu_tar(bool create, int dir, const char *file)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		char where[32];
		const char *all[] = { "tar",
				      create ? "--create" : "--extract",
				      "--gzip",
				      "--no-unquote",
				      "--no-wildcards",
				      "--directory",
				      where,
				      "--file",
				      file,
				      "--one-file-system",
				      "--check-links",
				      "--preserve-permissions",
				      "--sparse",
				      "--numeric-owner",
				      ".",
				      NULL };

		if (!create)
			all[9] = NULL;
		snprintf(where, sizeof(where), "/proc/self/fd/%d", dir);
		fcntl(dir, F_SETFD, 0);
		freopen("/dev/null", "w", stderr);
		execvp("tar", (char **)all);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *file_in_base(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

/* ---- file systems ---- */

static const char *fs_type = "tmpfs";

static int fresh_fs(const char *name, const char *options)
{
	const char *path = file_in_base(name);

	umount2(path, MNT_DETACH);
	mkdir(path, 0700);
	if (mount("test", path, fs_type, MS_NOATIME, options) < 0)
		return -errno;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void fresh(void)
{
	if (from > 0)
		close(from);
	if (to > 0)
		close(to);
	from = fresh_fs("from", "mode=0755");
	to = fresh_fs("to", "mode=0755");
}

/* ---- comparison ---- */

enum {
	COMPARE_TIMES_NS = 1,
	COMPARE_XATTRS = 2,
	COMPARE_EXTRAS = 4,
	COMPARE_FLAGS = 8,
	COMPARE_ATIME = 16,
	COMPARE_HOLES = 32
};
#define COMPARE_ALL 63

static char difference[512];

static bool differ(const char *path, const char *what)
{
	if (!*difference)
		snprintf(difference, sizeof(difference), "%s: %s", path, what);
	return false;
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b, unsigned how)
{
	return a->tv_sec == b->tv_sec && (!(how & COMPARE_TIMES_NS) || a->tv_nsec == b->tv_nsec);
}

static bool same_bytes(int a, int b, off_t at, off_t end)
{
	static char x[1 << 16], y[1 << 16];

	while (at < end) {
		ssize_t n = pread_full(a, x, MIN_OF(sizeof(x), (size_t)(end - at)), at);

		if (n <= 0 || n != pread_full(b, y, (size_t)n, at) || memcmp(x, y, (size_t)n))
			return false;
		at += n;
	}
	return true;
}

/* Of a size that is known to be the same. */
static bool same_data(int a, int b, unsigned how)
{
	off_t at = 0;

	for (;;) {
		off_t data = lseek(a, at, SEEK_DATA), other = lseek(b, at, SEEK_DATA), hole;

		if (data != other && (how & COMPARE_HOLES))
			return false;
		if (data < 0)
			return true;
		hole = lseek(a, data, SEEK_HOLE);
		if (hole != lseek(b, data, SEEK_HOLE) && (how & COMPARE_HOLES))
			return false;
		if (!same_bytes(a, b, data, hole))
			return false;
		at = hole;
	}
}

static bool same_xattrs(const char *a, const char *b)
{
	static char names[65536], other[65536], x[65536], y[65536];
	ssize_t n = llistxattr(a, names, sizeof(names)), m = llistxattr(b, other, sizeof(other));

	if (n != m)
		return false;
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t len = lgetxattr(a, names + at, x, sizeof(x));

		if (len < 0 || len != lgetxattr(b, names + at, y, sizeof(y)) || memcmp(x, y, (size_t)len))
			return false;
	}
	return true;
}

static bool same_target(int a, int b, const char *name)
{
	char x[PATH_MAX], y[PATH_MAX];

	return read_link(a, name, x, sizeof(x)) >= 0 && read_link(b, name, y, sizeof(y)) >= 0 && !strcmp(x, y);
}

static bool same_tree(int a, int b, const char *path, unsigned how);

static bool same_content(int a, int b, const char *name, const char *path, unsigned how, const struct statx *st)
{
	_cleanup_close_ int x = -1, y = -1;

	if (S_ISLNK(st->stx_mode))
		return same_target(a, b, name);
	if (!S_ISREG(st->stx_mode) && !S_ISDIR(st->stx_mode))
		return true;
	x = open_at(a, name, O_RDONLY | O_NOATIME, 0);
	y = open_at(b, name, O_RDONLY | O_NOATIME, 0);
	return S_ISDIR(st->stx_mode) ? same_tree(x, y, path, how) : same_data(x, y, how);
}

static bool same_file(int a, int b, const char *name, const char *path, unsigned how)
{
	struct statx x, y;
	char from_path[PATH_MAX], to_path[PATH_MAX];

	if (statx(a, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x) < 0)
		return differ(path, "not in the first");
	if (statx(b, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &y) < 0)
		return S_ISSOCK(x.stx_mode) && !(how & COMPARE_EXTRAS) ? true : differ(path, "missing");
	if (x.stx_mode != y.stx_mode || x.stx_uid != y.stx_uid || x.stx_gid != y.stx_gid)
		return differ(path, "mode or owner");
	if (x.stx_nlink != y.stx_nlink && (how & COMPARE_EXTRAS))
		return differ(path, "links");
	if (!S_ISDIR(x.stx_mode) && x.stx_size != y.stx_size)
		return differ(path, "size");
	if (x.stx_rdev_major != y.stx_rdev_major || x.stx_rdev_minor != y.stx_rdev_minor)
		return differ(path, "device");
	if (!same_time(&x.stx_mtime, &y.stx_mtime, how))
		return differ(path, "mtime");
	if ((how & COMPARE_ATIME) && !same_time(&x.stx_atime, &y.stx_atime, how))
		return differ(path, "atime");
	if ((how & COMPARE_FLAGS) && x.stx_attributes != y.stx_attributes)
		return differ(path, "inode flags");
	snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d/%s", a, name);
	snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d/%s", b, name);
	if ((how & COMPARE_XATTRS) && !same_xattrs(from_path, to_path))
		return differ(path, "extended attributes");
	return same_content(a, b, name, path, how, &x) ? true : differ(path, "content");
}

ARRAY_OF(texts, char *);

static void free_texts(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
}

static void names_of(int dir, struct texts *ret)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_NOATIME));
	struct dirent *e;

	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			array_add(ret, strdup(e->d_name));
	closedir(d);
}

static bool same_tree(int a, int b, const char *path, unsigned how)
{
	struct texts x = { 0 }, y = { 0 };
	bool same = true;

	names_of(a, &x);
	names_of(b, &y);
	if (x.n != y.n && (how & COMPARE_EXTRAS))
		same = differ(path, "number of files");
	for (size_t i = 0; same && i < x.n; i++) {
		char *below = malloc(strlen(path) + strlen(x.v[i]) + 2);

		sprintf(below, "%s/%s", path, x.v[i]);
		same = same_file(a, b, x.v[i], below, how);
		free(below);
	}
	free_texts(&x);
	free_texts(&y);
	return same;
}

static bool is_same(unsigned how)
{
	difference[0] = 0;
	if (same_file(from, to, ".", ".", how))
		return true;
	printf("# %s\n", difference);
	return false;
}

/* ---- what is in the trees ---- */

static int make_file(const char *name, mode_t mode, const char *text)
{
	int fd = openat(from, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && (write_full(fd, text, strlen(text)) || fchmod(fd, mode)))
		abort();
	return fd;
}

static void make_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", from, name);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	close(sock);
}

static void set_old_times(const char *name, long sec, long nsec)
{
	const struct timespec times[] = { { sec - 7, 123456789 }, { sec, nsec } };

	if (utimensat(from, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		abort();
}

static void make_plain_tree(void)
{
	close(make_file("file", 0640, "hello, world"));
	close(make_file("suid", 06755, "#!"));
	close(make_file("none", 0, ""));
	close(make_file("odd \n \\ name", 0600, "odd"));
	close(make_file("\xff\xfe not utf-8", 0600, "bytes"));
	mkdirat(from, "dir", 0700);
	close(make_file("dir/below", 0444, "below"));
	mkdirat(from, "dir/empty", 0700);
	fchmodat(from, "dir/empty", 03771, 0);
	linkat(from, "file", from, "dir/hard", 0);
	symlinkat("../no/where", from, "dir/link");
	symlinkat("\xff", from, "link of bytes");
	linkat(from, "dir/link", from, "hard link to a link", 0);
	mknodat(from, "fifo", S_IFIFO | 0620, 0);
	mknodat(from, "null", S_IFCHR | 0666, makedev(1, 3));
	mknodat(from, "large numbers", S_IFBLK | 0600, makedev(4095, 1048575));
	mknodat(from, "whiteout", S_IFCHR, makedev(0, 0));
	fchownat(from, "file", 1000, 1001, 0);
	fchownat(from, "dir", 4294967294u, 100000, 0);
	fchownat(from, "dir/link", 7, 8, AT_SYMLINK_NOFOLLOW);
	fchmodat(from, "dir", 02750, 0);
	fchownat(from, "fifo", 0, 5, 0);
	set_old_times("dir/below", 1, 1);
	set_old_times("file", 1000000000, 999999999);
	set_old_times("dir/link", 86400, 5);
	set_old_times("fifo", 4102444800, 5);
	set_old_times("null", -100, 0);
	set_old_times("dir", 1234567890, 987654321);
	fchown(from, 33, 44);
	fchmod(from, 01777);
	set_old_times(".", 1100000000, 17);
}

static void data_at(int fd, off_t at, const char *text)
{
	if (pwrite_full(fd, text, strlen(text), at))
		abort();
}

static void make_sparse_files(void)
{
	int fd = make_file("sparse", 0600, "");

	data_at(fd, 4 << 20, "in the middle");
	data_at(fd, 9 << 20, "and later");
	ftruncate(fd, (64l << 30) + 5);
	close(fd);
	fd = make_file("starts with data", 0600, "start");
	ftruncate(fd, 1 << 20);
	close(fd);
	fd = make_file("ends with data", 0600, "");
	data_at(fd, 1 << 30, "end");
	close(fd);
	fd = make_file("only a hole", 0600, "");
	ftruncate(fd, 123456);
	close(fd);
	fd = make_file("many holes", 0600, "");
	for (int i = 0; i < 500; i++)
		data_at(fd, i * 8192l, "x");
	close(fd);
}

/* ---- tests ---- */

static void everything_tar_knows_is_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	make_plain_tree();
	make_sparse_files();
	/* Not in the tree for GNU tar: libarchive writes the fraction of a negative time in its own way. */
	set_old_times("whiteout", -100, 500000000);
	CHECK(!save(from, &archive));
	CHECK(!extras.n);
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
	/* Linear in the data, not in the size. */
	CHECK(archive.len < 3 << 20);
}

static void gnu_tar_extracts_our_archives(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	make_plain_tree();
	make_sparse_files();
	fsetxattr(from, "user.root", "x", 1, 0);
	make_socket("sock");
	CHECK(!save(from, &archive));
	CHECK(!write_file(AT_FDCWD, file_in_base("ours.tar.gz"), archive.data, archive.len));
	CHECK(gnu_tar(false, to, file_in_base("ours.tar.gz")) == 0);
	CHECK(is_same(COMPARE_TIMES_NS));
}

static void we_extract_archives_of_gnu_tar(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	make_plain_tree();
	make_sparse_files();
	CHECK(gnu_tar(true, from, file_in_base("gnu.tar.gz")) == 0);
	CHECK(!read_file(AT_FDCWD, file_in_base("gnu.tar.gz"), &archive));
	forget_extras();
	CHECK(!load(to, &archive));
	/* Reading files changed the access times, and this format has none. */
	CHECK(is_same(COMPARE_XATTRS | COMPARE_EXTRAS | COMPARE_HOLES));
}

static const unsigned char capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
/* user::rw- user:7:r-- group::r-- mask::rw- other::--- */
static const unsigned char acl[] = { 2, 0, 0,	 0,    1,    0,	   6,  0, 0xff, 0xff, 0xff, 0xff, 2,	0,   4,
				     0, 7, 0,	 0,    0,    4,	   0,  4, 0,	0xff, 0xff, 0xff, 0xff, 16,  0,
				     6, 0, 0xff, 0xff, 0xff, 0xff, 32, 0, 0,	0,    0xff, 0xff, 0xff, 0xff };

static bool has_acls(void)
{
	int fd = make_file("acl", 0600, "");

	if (fsetxattr(fd, "system.posix_acl_access", acl, sizeof(acl), 0) < 0) {
		printf("# no ACLs on tmpfs: %s\n", strerror(errno));
		close(fd);
		return false;
	}
	close(fd);
	mkdirat(from, "default acl", 0750);
	fd = openat(from, "default acl", O_RDONLY | O_DIRECTORY);
	if (fsetxattr(fd, "system.posix_acl_default", acl, sizeof(acl), 0) < 0)
		abort();
	close(make_file("default acl/inherits", 0600, ""));
	mkdirat(from, "default acl/dir", 0700);
	close(fd);
	return true;
}

static void xattrs_acls_and_capabilities_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	int fd;

	fresh();
	has_acls();
	fd = make_file("capable", 0755, "#!");
	CHECK(!fsetxattr(fd, "security.capability", capability, sizeof(capability), 0));
	CHECK(!fsetxattr(fd, "user.binary", "\0\n=\xff", 4, 0) || errno == EOPNOTSUPP);
	CHECK(!fsetxattr(fd, "trusted.empty", "", 0, 0));
	CHECK(!fsetxattr(fd, "trusted.a=b%20c", "name that tar cannot store", 26, 0));
	close(fd);
	CHECK(!fsetxattr(from, "trusted.overlay.opaque", "y", 1, 0));
	CHECK(!fsetxattr(from, "trusted.of=root", "z", 1, 0));
	symlinkat("x", from, "link");
	mknodat(from, "fifo", S_IFIFO | 0600, 0);
	mkdirat(from, "dir", 0755);
	mknodat(from, "dir/node", S_IFCHR | 0600, makedev(1, 3));
	CHECK(!fchdir(from));
	CHECK(!lsetxattr("link", "trusted.on_link", "1", 1, 0));
	CHECK(!lsetxattr("fifo", "trusted.on_fifo", "22", 2, 0));
	CHECK(!lsetxattr("dir/node", "trusted.on_node", "333", 3, 0));
	CHECK(!save(from, &archive));
	CHECK(extras.n == 2);
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
}

static void large_xattrs_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	_cleanup_free_ char *value = malloc(65536);
	char name[32];
	int fd;

	fresh();
	memset(value, 'v', 65536);
	fd = make_file("file", 0600, "");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.large%d", i);
		CHECK(!fsetxattr(fd, name, value, 65536, 0));
	}
	close(fd);
	CHECK(!save(from, &archive));
	CHECK(extras.n == 1);
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
}

static void sockets_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	mkdirat(from, "run", 0755);
	make_socket("run/first");
	make_socket("second");
	fchmodat(from, "run/first", 0620, 0);
	fchownat(from, "run/first", 3, 4, 0);
	linkat(from, "run/first", from, "run/first again", 0);
	linkat(from, "second", from, "run/second again", 0);
	CHECK(!fchdir(from) && !lsetxattr("second", "trusted.on_socket", "s", 1, 0));
	set_old_times("run/first", 1000, 1);
	set_old_times("run", 1000000, 2);
	set_old_times(".", 1000001, 2);
	CHECK(!save(from, &archive));
	CHECK(extras.n == 4);
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
}

static bool set_flags(const char *name, int flags)
{
	_cleanup_close_ int fd = openat(from, name, O_RDONLY | O_CLOEXEC);
	int was;

	return fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &was) && (was = flags, !ioctl(fd, FS_IOC_SETFLAGS, &was));
}

static void inode_flags_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	close(make_file("immutable", 0600, "never"));
	linkat(from, "immutable", from, "other name", 0);
	close(make_file("append", 0600, "log"));
	mkdirat(from, "sealed", 0755);
	close(make_file("sealed/file", 0600, ""));
	make_socket("sealed/socket");
	if (!set_flags("append", FS_APPEND_FL)) {
		printf("# no inode flags on tmpfs\n");
		return;
	}
	CHECK(set_flags("immutable", FS_IMMUTABLE_FL | FS_NODUMP_FL));
	CHECK(set_flags("sealed", FS_IMMUTABLE_FL));
	CHECK(!save(from, &archive));
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
}

/* Beyond PATH_MAX, and more levels than descriptors. */
static void deep_trees_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	char name[201];
	int fd;

	fresh();
	memset(name, 'd', 200);
	name[200] = 0;
	fd = dup(from);
	for (int i = 0; i < 1200; i++) {
		int next;

		CHECK(!mkdirat(fd, name, 0700));
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		CHECK(next >= 0);
		close(fd);
		fd = next;
	}
	close(openat(fd, "deepest", O_WRONLY | O_CREAT, 0600));
	close(fd);
	CHECK(!save(from, &archive));
	CHECK(!load(to, &archive));
	fd = dup(to);
	for (int i = 0; i < 1200; i++) {
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY);

		CHECK(next >= 0);
		close(fd);
		fd = next;
	}
	CHECK(!faccessat(fd, "deepest", F_OK, 0));
	close(fd);
}

static void order_is_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	struct texts a = { 0 }, b = { 0 };
	bool same = true;

	fresh();
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (i * 7919) % 1000);
		close(make_file(name, 0600, name));
	}
	CHECK(!save(from, &archive));
	CHECK(!load(to, &archive));
	names_of(from, &a);
	names_of(to, &b);
	CHECK(a.n == 300 && b.n == 300);
	for (size_t i = 0; i < a.n; i++)
		same &= !strcmp(a.v[i], b.v[i]);
	CHECK(same);
	free_texts(&a);
	free_texts(&b);
}

static void empty_trees_are_kept(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	fchmod(from, 0711);
	fchown(from, 5, 6);
	CHECK(!save(from, &archive));
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL));
}

static void saving_leaves_no_trace(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	struct statx before, after;
	static const char *const names[] = { "file", "dir", "." };

	fresh();
	close(make_file("file", 0600, "content"));
	mkdirat(from, "dir", 0755);
	close(make_file("dir/x", 0600, ""));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		set_old_times(names[i], 1000000, 5);
		CHECK(!statx(from, names[i], 0, STATX_BASIC_STATS, &before));
		CHECK(!save(from, &archive));
		CHECK(!statx(from, names[i], 0, STATX_BASIC_STATS, &after));
		CHECK(!memcmp(&before.stx_atime, &after.stx_atime, sizeof(before.stx_atime)));
		CHECK(!memcmp(&before.stx_ctime, &after.stx_ctime, sizeof(before.stx_ctime)));
	}
}

static void other_mounts_are_refused(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	char path[PATH_MAX];

	fresh();
	mkdirat(from, "dir", 0755);
	mkdirat(from, "of", 0755);
	snprintf(path, sizeof(path), "%s", file_in_base("from/dir"));
	CHECK(!mount(file_in_base("from/of"), path, NULL, MS_BIND, NULL));
	CHECK(save(from, &archive) == -EXDEV);
	CHECK(!umount(path));
	CHECK(!save(from, &archive));
}

static void unmapped_owners_are_refused(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	struct fs_archive_output out = { .write = keep_bytes,
					 .extra = keep_extra,
					 .arg = &archive,
					 .unmapped_uid = 65534,
					 .unmapped_gid = FS_ARCHIVE_ALL_MAPPED };

	fresh();
	close(make_file("nobody", 0600, ""));
	CHECK(!fs_archive_save(from, &out));
	fchownat(from, "nobody", 65534, 65534, 0);
	CHECK(fs_archive_save(from, &out) == -EOVERFLOW);
	out.unmapped_uid = FS_ARCHIVE_ALL_MAPPED;
	out.unmapped_gid = 65534;
	CHECK(fs_archive_save(from, &out) == -EOVERFLOW);
}

static void a_full_file_system_is_an_error(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fresh();
	close(to);
	to = fresh_fs("to", "size=8k");
	int fd = make_file("large", 0600, "");
	data_at(fd, 0, "a");
	for (int i = 1; i < 10; i++)
		data_at(fd, i * 4096, "b");
	close(fd);
	CHECK(!save(from, &archive));
	CHECK(load(to, &archive) == -ENOSPC);
	close(to);
	to = fresh_fs("to", "nr_inodes=1");
	CHECK(load(to, &archive) == -ENOSPC);
}

static void ramfs_is_kept_with_its_holes(void)
{
	_cleanup_buf_ struct buf archive = { 0 };

	fs_type = "ramfs";
	fresh();
	make_plain_tree();
	int fd = make_file("sparse", 0600, "start");
	data_at(fd, 1 << 20, "middle");
	ftruncate(fd, 50l << 20);
	close(fd);
	CHECK(!save(from, &archive));
	CHECK(archive.len < 1 << 20);
	CHECK(!load(to, &archive));
	fs_type = "tmpfs";
	CHECK(is_same(COMPARE_ALL & ~COMPARE_HOLES));
}

static void hugetlbfs_is_kept_with_its_holes(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	size_t huge = 2 << 20;
	struct stat st;
	char *map;
	int fd;

	fs_type = "hugetlbfs";
	fresh();
	fs_type = "tmpfs";
	if (from < 0 || to < 0) {
		printf("# no hugetlbfs\n");
		return;
	}
	mkdirat(from, "dir", 0710);
	fd = openat(from, "dir/pages", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	CHECK(!ftruncate(fd, 4 * (off_t)huge));
	map = mmap(NULL, 4 * huge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	close(fd);
	if (map == MAP_FAILED || madvise(map + huge, huge, MADV_POPULATE_WRITE) ||
	    madvise(map + 3 * huge, huge, MADV_POPULATE_WRITE)) {
		printf("# no huge pages\n");
		return;
	}
	memset(map + huge + 12345, 'h', 700000);
	map[4 * huge - 1] = 'e';
	set_old_times("dir/pages", 1000, 1);
	CHECK(!save(from, &archive));
	CHECK(archive.len < 5 << 20);
	CHECK(!load(to, &archive));
	CHECK(is_same(COMPARE_ALL & ~(COMPARE_HOLES | COMPARE_XATTRS)));
	CHECK(!fstatat(to, "dir/pages", &st, 0) && st.st_blocks == 2 * (blkcnt_t)huge / 512);
	munmap(map, 4 * huge);
}

static int refuse_bytes(void *arg, const void *bytes, size_t len)
{
	return -EDQUOT;
}

static void errors_of_the_image_are_passed_on(void)
{
	const struct fs_archive_output out = { .write = refuse_bytes,
					       .extra = keep_extra,
					       .unmapped_uid = FS_ARCHIVE_ALL_MAPPED,
					       .unmapped_gid = FS_ARCHIVE_ALL_MAPPED };

	fresh();
	close(make_file("file", 0600, "x"));
	CHECK(fs_archive_save(from, &out) == -EDQUOT);
}

static void truncated_archives_are_refused(void)
{
	_cleanup_buf_ struct buf archive = { 0 };
	size_t whole;

	fresh();
	make_plain_tree();
	CHECK(!save(from, &archive));
	whole = archive.len;
	/* Without the end of the archive and of gzip: 1 KiB of zeros, a checksum. */
	for (size_t len = 1; len < whole - 1200; len += 997) {
		close(to);
		to = fresh_fs("to", "mode=0755");
		archive.len = len;
		CHECK(load(to, &archive) == -EBADMSG);
	}
	archive.len = 0;
	CHECK(load(to, &archive) == -EBADMSG);
}

int main(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("needs root: a mount namespace of its own: %s\n", strerror(errno));
		return 77;
	}
	umask(0);
	if (!mkdtemp(base) || mount("test", base, "tmpfs", 0, NULL) < 0)
		return 1;
	RUN(everything_tar_knows_is_kept);
	if (!system("tar --version >/dev/null 2>&1")) {
		RUN(gnu_tar_extracts_our_archives);
		RUN(we_extract_archives_of_gnu_tar);
	}
	RUN(xattrs_acls_and_capabilities_are_kept);
	RUN(large_xattrs_are_kept);
	RUN(sockets_are_kept);
	RUN(inode_flags_are_kept);
	RUN(deep_trees_are_kept);
	RUN(order_is_kept);
	RUN(empty_trees_are_kept);
	RUN(saving_leaves_no_trace);
	RUN(other_mounts_are_refused);
	RUN(unmapped_owners_are_refused);
	RUN(a_full_file_system_is_an_error);
	RUN(ramfs_is_kept_with_its_holes);
	RUN(hugetlbfs_is_kept_with_its_holes);
	RUN(errors_of_the_image_are_passed_on);
	RUN(truncated_archives_are_refused);
	forget_extras();
	if (chdir("/") < 0)
		return 1;
	umount2(base, MNT_DETACH);
	rmdir(base);
	DONE();
}
