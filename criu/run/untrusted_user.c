// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "run/restore.h"
#include "run/rights.h"
#include "run/untrusted_user.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum { GROUPS_FIRST = 64, PASSWD_LINE_MAX = 1 << 16 };

static int compare_groups(const void *a, const void *b)
{
	const gid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* getgrouplist(3) returns the number of groups if the buffer is too small. */
static int find_groups(struct restore *r, const char *name, struct untrusted *u)
{
	int n = GROUPS_FIRST;

	for (int tries = 0; tries < 3; tries++) {
		u->groups = restore_alloc(r, (size_t)n * sizeof(*u->groups));
		if (!u->groups)
			return fail(-ENOMEM, "groups of user %u", u->uid);
		if (getgrouplist(name, u->gid, u->groups, &n) >= 0) {
			u->nr_groups = (size_t)n;
			/* Sorted, as the kernel returns them. */
			qsort(u->groups, u->nr_groups, sizeof(*u->groups), compare_groups);
			return 0;
		}
	}
	return fail(-EAGAIN, "the groups of user %u keep changing", u->uid);
}

static int copy_account(struct restore *r, struct untrusted *u)
{
	const struct options *opts = r->opts;
	const size_t size = opts->nr_images_groups * sizeof(*u->groups);

	u->gid = opts->images_gid;
	u->groups = restore_alloc(r, size + 1);
	if (!u->groups)
		return fail(-ENOMEM, "groups of user %u", u->uid);
	if (size)
		memcpy(u->groups, opts->images_groups, size);
	u->nr_groups = opts->nr_images_groups;
	qsort(u->groups, u->nr_groups, sizeof(*u->groups), compare_groups);
	return 0;
}

static int find_account(struct restore *r, struct untrusted *u)
{
	_cleanup_free_ char *line = malloc(PASSWD_LINE_MAX);
	struct passwd account, *found = NULL;
	int err = line ? getpwuid_r(u->uid, &account, line, PASSWD_LINE_MAX, &found) : ENOMEM;

	if (err)
		return fail(-err, "--untrusted-images: look up user %u", u->uid);
	if (!found)
		return fail(-ENOENT, "--untrusted-images: no user %u in passwd: its groups are unknown", u->uid);
	u->gid = found->pw_gid;
	return find_groups(r, found->pw_name, u);
}

static int read_own(struct restore *r, struct untrusted *u)
{
	struct rights rights;
	int n = getgroups(0, NULL), err;

	getresuid(&u->own_uid[0], &u->own_uid[1], &u->own_uid[2]);
	getresgid(&u->own_gid[0], &u->own_gid[1], &u->own_gid[2]);
	u->own_groups = n < 0 ? NULL : restore_alloc(r, ((size_t)n + 1) * sizeof(*u->own_groups));
	if (!u->own_groups)
		return fail(-ENOMEM, "read our own groups");
	n = getgroups(n, u->own_groups);
	err = n < 0 ? -errno : rights_probe(&rights);
	if (err)
		return fail(err, "read our own rights");
	u->own_caps = rights.caps;
	u->nr_own_groups = (size_t)n;
	u->dumpable = prctl(PR_GET_DUMPABLE);
	/* CAP_SYS_ADMIN, which would also allow setting pids, is not kept: run/untrusted.c. */
	if (rights_need_all(&rights, BIT(RIGHT_CHANGE_IDS) | BIT(RIGHT_SET_PIDS),
			    "--untrusted-images (not needed for your own images)"))
		return -EPERM;
	if (!(u->own_caps.effective & BIT(CAP_CHECKPOINT_RESTORE)))
		return fail(-EPERM, "--untrusted-images is for a restore by root: needs CAP_CHECKPOINT_RESTORE");
	if (u->own_uid[0] == u->uid || u->own_uid[1] == u->uid || u->own_uid[2] == u->uid)
		return fail(-EINVAL, "--untrusted-images=%u is the user running criu", u->uid);
	return 0;
}

static bool is_given(const struct options *opts, int fd)
{
	for (size_t i = 0; i < opts->inherit_nr; i++)
		if (opts->inherit[i].fd == fd)
			return true;
	return false;
}

/* All descriptors that tasks would inherit from our caller, or from what we opened with its rights. */
static int list_fds(struct restore *r, struct untrusted *u)
{
	int fds = open_at(proc_root(), "self/fd", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	size_t room = 0, n = 0;
	struct dirent *e;

	if (!dir)
		return fail(fds < 0 ? fds : -ENOMEM, "open /proc/self/fd");
	while (readdir(dir))
		room++;
	rewinddir(dir);
	u->fds = restore_alloc(r, (room + 1) * sizeof(*u->fds));
	if (!u->fds)
		return fail(-ENOMEM, "list our own descriptors");
	while ((e = readdir(dir)) && n < room) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] != '.' && fd != dirfd(dir) && fd != proc_root() && fd != r->roots.root &&
		    !is_given(r->opts, fd))
			u->fds[n++] = fd;
	}
	u->nr_fds = n;
	return 0;
}

int untrusted_find_user(struct restore *r, struct untrusted *u)
{
	int err = r->opts->user_is_caller ? copy_account(r, u) : find_account(r, u);

	if (!err)
		err = read_own(r, u);
	return err ? err : list_fds(r, u);
}
