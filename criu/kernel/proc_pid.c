// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory itself, its links, and its files with a single value; structured texts are in proc_stat.c,
 * proc_status.c, proc_text.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "kernel/scan.h"
#include "util/fds.h"
#include "util/proc_root.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
	const char *name;
	int clone_flag;
} ns_table[PROC_NS_COUNT] = {
	[PROC_NS_NET] = { "net", CLONE_NEWNET },
	[PROC_NS_UTS] = { "uts", CLONE_NEWUTS },
	[PROC_NS_IPC] = { "ipc", CLONE_NEWIPC },
	[PROC_NS_PID] = { "pid", CLONE_NEWPID },
	[PROC_NS_PID_CHILDREN] = { "pid_for_children", CLONE_NEWPID },
	[PROC_NS_MNT] = { "mnt", CLONE_NEWNS },
	[PROC_NS_USER] = { "user", CLONE_NEWUSER },
	[PROC_NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
	[PROC_NS_TIME] = { "time", CLONE_NEWTIME },
	[PROC_NS_TIME_CHILDREN] = { "time_for_children", CLONE_NEWTIME },
};

int proc_open(pid_t pid, struct proc *ret_p)
{
	int dir = open_fmt(proc_root(), O_RDONLY | O_DIRECTORY, "%d", pid);

	if (dir < 0)
		return dir;
	*ret_p = (struct proc){ pid, dir };
	return 0;
}

int proc_open_self(struct proc *ret_p)
{
	int dir = open_at(proc_root(), "self", O_RDONLY | O_DIRECTORY, 0);

	if (dir < 0)
		return dir;
	*ret_p = (struct proc){ getpid(), dir };
	return 0;
}

int proc_open_thread(const struct proc *p, pid_t tid, struct proc *ret_thread)
{
	int dir = open_fmt(p->dir, O_RDONLY | O_DIRECTORY, "task/%d", tid);

	if (dir < 0)
		return dir;
	*ret_thread = (struct proc){ tid, dir };
	return 0;
}

void proc_close(struct proc *p)
{
	cleanup_close(&p->dir);
	*p = PROC_CLOSED;
}

static int cmp_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void sort_from(int *v, size_t from, size_t n)
{
	if (n > from + 1)
		qsort(v + from, n - from, sizeof(*v), cmp_int);
}

static int add_numbers(const char *entries, ssize_t len, struct int_array *to)
{
	uint32_t nr;

	for (const char *at = entries; at < entries + len;) {
		const struct dirent64 *e = (const struct dirent64 *)at;

		if (!parse_u32(e->d_name, &nr) && array_add(to, (int)nr))
			return -ENOMEM;
		at += e->d_reclen;
	}
	return 0;
}

/* Appends the numeric names in @dirfd/@path, sorted. */
static int list_numbers(int dirfd, const char *path, struct int_array *to)
{
	size_t from = to->n;
	_cleanup_close_ int fd = open_at(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	_Alignas(struct dirent64) char some[16 << 10];
	ssize_t len;

	if (fd < 0)
		return fd;
	/* opendir(3) makes three more calls. */
	while ((len = getdents64(fd, some, sizeof(some))) > 0) {
		int err = add_numbers(some, len, to);
		if (err)
			return err;
	}
	if (len < 0)
		return -errno;
	sort_from(to->v, from, to->n);
	return 0;
}

int proc_threads(const struct proc *p, struct pid_array *to)
{
	struct int_array tids = { to->v, to->n, to->cap };
	int err = list_numbers(p->dir, "task", &tids);

	*to = (struct pid_array){ tids.v, tids.n, tids.cap };
	return err;
}

int proc_nr_threads(const struct proc *p)
{
	struct stat st;

	/* Its directory of threads has a link for each of them, besides its own two. */
	return fstatat(p->dir, "task", &st, 0) < 0 ? -errno : (int)st.st_nlink - 2;
}

int proc_pids(const struct proc *p, struct pid_array *to)
{
	struct int_array pids = { to->v, to->n, to->cap };
	int err = list_numbers(p->dir, "..", &pids);

	*to = (struct pid_array){ pids.v, pids.n, pids.cap };
	return err;
}

int proc_fds(const struct proc *p, struct int_array *to)
{
	return list_numbers(p->dir, "fd", to);
}

int proc_ns_ino(const struct proc *p, enum proc_ns ns, uint32_t *ret_ino)
{
	char path[32], link[64];
	uint32_t ino;
	struct scan part;

	snprintf(path, sizeof(path), "ns/%s", ns_table[ns].name);
	ssize_t n = read_link(p->dir, path, link, sizeof(link));
	if (n < 0)
		return n;
	struct scan s = scan_text(link, n);
	if (!scan_until(&s, ':', &part) || !scan_char(&s, '[') || !scan_u32(&s, &ino) || !scan_char(&s, ']'))
		return -EBADMSG;
	*ret_ino = ino;
	return 0;
}

int proc_ns_open(const struct proc *p, enum proc_ns ns)
{
	return open_fmt(p->dir, O_RDONLY, "ns/%s", ns_table[ns].name);
}

const char *proc_ns_name(enum proc_ns ns)
{
	return ns_table[ns].name;
}

int proc_ns_clone_flag(enum proc_ns ns)
{
	return ns_table[ns].clone_flag;
}

int proc_text(const struct proc *p, const char *name, struct buf *to)
{
	return read_file(p->dir, name, to);
}

int proc_record(const struct proc *p, const char *name, struct buf *to)
{
	return read_record(p->dir, name, to);
}

/* Reads one short line, without its newline; returns its length. */
static ssize_t read_value(const struct proc *p, const char *name, char *ret, size_t size)
{
	_cleanup_close_ int fd = open_at(p->dir, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	ssize_t n;
	do /* The kernel returns all of it at once. */
		n = read(fd, ret, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n && ret[n - 1] == '\n')
		n--;
	ret[n] = 0;
	return n;
}

int proc_is_32bit(const struct proc *p)
{
	_cleanup_close_ int fd = open_at(p->dir, "auxv", O_RDONLY, 0);
	uint64_t first = 0;

	if (fd < 0)
		return fd;
	if (read(fd, &first, sizeof(first)) < 0)
		return -errno;
	/* The key of the first entry, a small number; in a 32-bit program key and value, which is not 0. */
	return first > UINT32_MAX;
}

int proc_comm(const struct proc *p, char ret[16])
{
	char text[128];
	ssize_t n = read_value(p, "comm", text, sizeof(text));

	if (n < 0)
		return n;
	/* Longer ones are those of kernel threads. */
	memset(ret, 0, 16);
	memcpy(ret, text, MIN_OF(n, 15));
	return 0;
}

const char *proc_comm_of(pid_t pid, char buf[16])
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;

	return proc_open(pid, &p) || proc_comm(&p, buf) ? "?" : buf;
}

int proc_loginuid(const struct proc *p, uint32_t *ret_v)
{
	char text[32];
	ssize_t n = read_value(p, "loginuid", text, sizeof(text));

	return n < 0 ? n : parse_u32(text, ret_v) ? -EBADMSG : 0;
}

int proc_oom_score_adj(const struct proc *p, int *ret_v)
{
	char text[32];
	int64_t v;
	ssize_t n = read_value(p, "oom_score_adj", text, sizeof(text));

	if (n < 0)
		return n;
	if (parse_s64(text, &v) || v < -1000 || v > 1000)
		return -EBADMSG;
	*ret_v = v;
	return 0;
}

static int read_hex(const struct proc *p, const char *name, uint64_t *ret_v)
{
	char text[32];
	ssize_t n = read_value(p, name, text, sizeof(text));

	return n < 0 ? n : parse_hex(text, ret_v) ? -EBADMSG : 0;
}

int proc_coredump_filter(const struct proc *p, uint64_t *ret_v)
{
	return read_hex(p, "coredump_filter", ret_v);
}

int proc_setgroups(const struct proc *p, bool *ret_allowed)
{
	char text[32];
	ssize_t n = read_value(p, "setgroups", text, sizeof(text));

	if (n < 0)
		return n;
	if (!str_eq(text, "allow") && !str_eq(text, "deny"))
		return -EBADMSG;
	*ret_allowed = str_eq(text, "allow");
	return 0;
}

ssize_t proc_link(const struct proc *p, const char *name, char *ret, size_t size)
{
	return read_link(p->dir, name, ret, size);
}

int proc_open_file(const struct proc *p, const char *name, int flags)
{
	return open_at(p->dir, name, flags, 0);
}

static struct stat stat_of(const struct statx *sx)
{
	return (struct stat){
		.st_dev = makedev(sx->stx_dev_major, sx->stx_dev_minor),
		.st_ino = sx->stx_ino,
		.st_mode = sx->stx_mode,
		.st_nlink = sx->stx_nlink,
		.st_uid = sx->stx_uid,
		.st_gid = sx->stx_gid,
		.st_rdev = makedev(sx->stx_rdev_major, sx->stx_rdev_minor),
		.st_size = (off_t)sx->stx_size,
		.st_blksize = sx->stx_blksize,
		.st_blocks = (blkcnt_t)sx->stx_blocks,
		.st_atim = { sx->stx_atime.tv_sec, sx->stx_atime.tv_nsec },
		.st_mtim = { sx->stx_mtime.tv_sec, sx->stx_mtime.tv_nsec },
		.st_ctim = { sx->stx_ctime.tv_sec, sx->stx_ctime.tv_nsec },
	};
}

int proc_file_facts(int fd, struct file_facts *ret)
{
	struct statfs fs;
	struct statx sx;
	int err = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID | STATX_BTIME, &sx) < 0 ? -errno : 0;

	if (!err) {
		*ret = (struct file_facts){ .st = stat_of(&sx), .birth = statx_birth(&sx), .mnt_id = -1 };
		if (sx.stx_mask & STATX_MNT_ID)
			ret->mnt_id = (int)sx.stx_mnt_id;
		return 0;
	}
	if (err != -ENOENT || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return err;
	*ret = (struct file_facts){ .st = { .st_mode = S_IFDIR | 0500, .st_nlink = 2 }, .mnt_id = -1 };
	return 0;
}
