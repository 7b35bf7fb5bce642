/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/fs_answers.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "kernel/fdinfo.h"
#include "run/dump.h"
#include "run/helper_process.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

/* The tree is frozen meanwhile. A working server answers within a few milliseconds. */
#define PATIENCE_MS 500
#define END_MS 1000 /* for a helper that is not stuck to exit */

enum { ANSWERS = 1, SILENT };

struct fs_helper {
	struct helper_process process;
	int sock; /* to the helper, while it exists */
	bool needed; /* there are mounts that are not local */
	struct hash mounts; /* mount id -> ANSWERS or SILENT */
};

/* File systems that only depend on the kernel and its disks. */
static const char *const local_types[] = { "ext4",   "ext3",	 "ext2",      "xfs",	"btrfs",   "f2fs",
					   "tmpfs",  "ramfs",	 "devtmpfs",  "devpts", "proc",	   "sysfs",
					   "cgroup", "cgroup2",	 "bpf",	      "mqueue", "debugfs", "tracefs",
					   "erofs",  "squashfs", "hugetlbfs", "vfat",	"exfat",   "iso9660",
					   "zfs",    "bcachefs" };
/* Files on kernel-internal mounts, which are not in mountinfo. */
static const char *const kernel_files[] = { "/memfd:", "/SYSV", "/dev/zero", "/[aio]", "/anon_hugepage" };

static bool is_local(const struct mount_info *mount)
{
	for (size_t i = 0; i < ARRAY_SIZE(local_types); i++)
		if (str_eq(mount->fstype, local_types[i]))
			return true;
	return false;
}

static bool is_of_kernel(const char *link)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_files); i++)
		if (str_has_prefix(link, kernel_files[i]))
			return true;
	return link[0] != '/';
}

/* ---- the helper ---- */

/* A query: a descriptor of a task, by the task's pidfd; or a descriptor that is sent with the query. */
struct query {
	int fd; /* -1: the latter */
};

static void look_at(int sent, const struct query *q)
{
	struct stat st;
	struct statfs fs;
	int fd = q->fd >= 0 ? sys_pidfd_getfd(sent, q->fd) : sent;

	if (fd >= 0 && !fstat(fd, &st))
		fstatfs(fd, &fs);
	if (fd >= 0)
		close(fd);
	if (fd != sent)
		close(sent);
}

static int serve(void *arg)
{
	int sock = *(const int *)arg;
	struct query q;

	for (;;) {
		size_t n = 1;
		int sent = -1;

		if (recv_fds(sock, &sent, &n, &q, sizeof(q)) != sizeof(q))
			return 0;
		look_at(sent, &q);
		if (write(sock, "", 1) != 1)
			return 0;
	}
}

static void free_helper(void *arg)
{
	struct fs_helper *h = arg;

	if (h->process.pid) {
		close(h->sock);
		helper_end(&h->process, END_MS);
	}
	hash_free(&h->mounts);
}

static int start(struct fs_helper *h)
{
	/* It may outlive us if it is stuck: it must not keep descriptors open that others wait for. */
	struct helper_job job = { .run = serve, .nr_keeps = 1 };
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	job.arg = job.keeps = &pair[1];
	err = helper_start(&h->process, &job);
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		h->sock = pair[0];
	return err;
}

/* It is not waited for: it dies when the server answers. */
static void give_up(struct fs_helper *h)
{
	helper_abandon(&h->process);
	close(h->sock);
}

static int ask(struct fs_helper *h, int sent, const struct query *q)
{
	struct pollfd answer = { .fd = h->sock, .events = POLLIN };
	int err = send_fds(h->sock, &sent, 1, q, sizeof(*q)), n;
	char byte;

	if (err)
		return err;
	do
		n = poll(&answer, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!n)
		return SILENT;
	return read(h->sock, &byte, 1) == 1 ? ANSWERS : -EIO;
}

/* ---- */

static struct fs_helper *helper_of(struct dump *dump)
{
	struct fs_helper *h = dump->fs_helper;
	const struct mount_info *mount;

	if (h)
		return h;
	h = dump_alloc(dump, sizeof(*h));
	if (!h || arena_defer(&dump->arena, free_helper, h))
		return NULL;
	h->process = HELPER_NONE;
	array_for_each(mount, &dump->mounts)
		h->needed |= !is_local(mount);
	return dump->fs_helper = h;
}

static int answer_of(struct fs_helper *h, const struct mount_info *mount, int sent, const struct query *q)
{
	int answer;

	if (mount && is_local(mount))
		return ANSWERS;
	answer = h->process.pid ? 0 : start(h);
	if (!answer)
		answer = ask(h, sent, q);
	if (answer < 0) {
		/* Then we have to access it ourselves. */
		log_warn("check whether a file system answers: %s", strerror(-answer));
		return ANSWERS;
	}
	if (answer == SILENT)
		give_up(h);
	return answer;
}

static bool mount_answers(struct dump *dump, int mnt_id, int sent, const struct query *q)
{
	struct fs_helper *h = dump->fs_helper;
	uint64_t answer;

	if (!hash_get(&h->mounts, (uint64_t)mnt_id, &answer)) {
		answer = (uint64_t)answer_of(h, mountinfo_find(&dump->mounts, mnt_id), sent, q);
		hash_put(&h->mounts, (uint64_t)mnt_id, answer);
	}
	return answer != SILENT;
}

static bool refuse(struct dump *dump, const struct dump_task *task, int fd, const char *link, int mnt_id)
{
	const struct mount_info *mount = mountinfo_find(&dump->mounts, mnt_id);

	dump_blocker(dump, task, fd,
		     "%s: its file system (%s%s%s) does not respond: its server has stopped, or is a task of this "
		     "tree; make it respond, or dump a tree without it",
		     link, mount ? mount->fstype : "detached", mount ? " on " : "", mount ? mount->mountpoint : "");
	return false;
}

bool dump_fd_answers(struct dump *dump, struct fd_probe *probe)
{
	struct fs_helper *h = helper_of(dump);
	struct query q = { .fd = probe->fd };
	struct fdinfo *info;

	/* fdinfo has the mount without querying the file system, but takes ten times as long as all the rest. */
	if (!h || !h->needed || is_of_kernel(probe->link) || fd_probe_info(dump, probe, &info) || info->mnt_id < 0)
		return true;
	return mount_answers(dump, info->mnt_id, probe->task->pidfd, &q) ||
	       refuse(dump, probe->task, probe->fd, probe->link, info->mnt_id);
}

bool dump_path_answers(struct dump *dump, const struct dump_task *task, int local, const char *link)
{
	struct query q = { .fd = -1 };
	struct statx sx;

	/* statx without a query to the server. */
	if (is_of_kernel(link) || !helper_of(dump) ||
	    statx(local, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0 ||
	    !(sx.stx_mask & STATX_MNT_ID))
		return true;
	return mount_answers(dump, (int)sx.stx_mnt_id, local, &q) || refuse(dump, task, -1, link, (int)sx.stx_mnt_id);
}
