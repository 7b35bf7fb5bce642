// SPDX-License-Identifier: GPL-2.0-only
#include "run/freezer.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "run/dump.h"
#include "run/helper_process.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"

/* The group, or one below it. */
struct frozen_group {
	int dir;
	bool was_frozen; /* by itself */
	struct stat st;
};
ARRAY_OF(group_array, struct frozen_group);

struct freezer {
	bool v1;
	struct group_array groups; /* the first is that of the option; of the others, those that were frozen */
	struct helper_process helper;
	int tool; /* in the helper: a pidfd of the dumper */
};

static int write_state(const struct freezer *f, const struct frozen_group *group, bool frozen)
{
	return write_text(group->dir, f->v1 ? "freezer.state" : "cgroup.freeze",
			  f->v1 ? (frozen ? "FROZEN" : "THAWED") : (frozen ? "1" : "0"));
}

/* In the order that was: a group below may be frozen, too. */
static int set_back(const struct freezer *f)
{
	int err = 0;

	for (size_t i = 0; i < f->groups.n; i++) {
		int one = write_state(f, &f->groups.v[i], f->groups.v[i].was_frozen);

		err = err ? err : one;
	}
	return err;
}

/* ---- in the helper ---- */

static int await_tool(void *arg)
{
	struct freezer *f = arg;
	struct pollfd end = { .fd = f->tool, .events = POLLIN };

	while (poll(&end, 1, -1) < 0)
		if (errno != EINTR)
			return 1;
	set_back(f);
	return 0;
}

/* ---- in the dumper ---- */

static int start_helper(struct freezer *f)
{
	struct helper_job job = { .run = await_tool, .arg = f };
	int err = 0;

	f->tool = sys_pidfd_open(getpid(), 0);
	job.keeps = calloc(f->groups.n + 1, sizeof(*job.keeps));
	if (f->tool < 0 || !job.keeps)
		err = f->tool < 0 ? f->tool : -ENOMEM;
	if (!err) {
		job.keeps[job.nr_keeps++] = f->tool;
		for (size_t i = 0; i < f->groups.n; i++)
			job.keeps[job.nr_keeps++] = f->groups.v[i].dir;
		err = helper_start(&f->helper, &job);
	}
	free(job.keeps);
	if (f->tool >= 0)
		close(f->tool);
	return err ? fail(err, "start the process that thaws the cgroup after a failure") : 0;
}

static int read_word(int dir, const char *file, struct buf *ret)
{
	int err = read_file(dir, file, ret);

	while (!err && ret->len && ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = 0;
	return err ? err : buf_reserve(ret, 1);
}

static int add_group(struct freezer *f, int dir, bool always)
{
	_cleanup_buf_ struct buf state = { 0 };
	struct frozen_group group = { .dir = dir };
	int err = read_word(dir, f->v1 ? "freezer.self_freezing" : "cgroup.freeze", &state);

	if (!err && fstat(dir, &group.st) < 0)
		err = -errno;
	group.was_frozen = !err && !strcmp(state.data, "1");
	if (err || !(always || group.was_frozen))
		return err;
	group.dir = dup_fd_above(dir, 0);
	err = group.dir < 0 ? group.dir : array_add(&f->groups, group);
	if (err && group.dir >= 0)
		close(group.dir);
	return err;
}

/* Calls @fn for the group @top and all below it. */
static int walk(int top, int (*fn)(void *arg, int dir), void *arg)
{
	int fd = open_at(top, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *sub;
	int err = list ? fn(arg, top) : -errno;

	while (!err && (sub = readdir(list))) {
		_cleanup_close_ int dir = -1;

		if (sub->d_type != DT_DIR || sub->d_name[0] == '.')
			continue;
		dir = open_at(fd, sub->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		err = dir == -ENOENT ? 0 : dir < 0 ? dir : walk(dir, fn, arg);
	}
	if (list)
		closedir(list);
	return err;
}

static int add_one(void *arg, int dir)
{
	struct freezer *f = arg;

	return add_group(f, dir, !f->groups.n);
}

/* The state of all that is in there, which follows the setting. */
int freezer_is_frozen(const struct dump *dump)
{
	const struct freezer *f = dump->freezer;
	_cleanup_buf_ struct buf state = { 0 };
	int err = read_word(f->groups.v[0].dir, f->v1 ? "freezer.state" : "cgroup.events", &state);

	if (err)
		return fail(err, "read the state of the cgroup %s (--freeze-cgroup)", dump->opts->freeze_cgroup);
	return f->v1 ? !strcmp(state.data, "FROZEN") : strstr(state.data, "frozen 1") != NULL;
}

static int open_groups(struct dump *dump, struct freezer *f)
{
	const char *path = dump->opts->freeze_cgroup;
	_cleanup_close_ int dir = path_open(&PATH_OWN, PATH_ROOT_MOUNT, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int err;

	if (dir < 0)
		return fail(dir, "open the cgroup %s (--freeze-cgroup)", path);
	f->v1 = !fstatat(dir, "freezer.state", &st, 0);
	if (!f->v1 && fstatat(dir, "cgroup.freeze", &st, 0) < 0)
		return fail(
			-ENOENT,
			"%s (--freeze-cgroup) has neither cgroup.freeze nor freezer.state: expected the directory of a cgroup other than the root, of version 2 or of the freezer controller",
			path);
	err = walk(dir, add_one, f);
	return err ? fail(err, "read the state of the cgroup %s (--freeze-cgroup)", path) : 0;
}

static void free_freezer(struct dump *dump)
{
	struct freezer *f = dump->freezer;

	for (size_t i = 0; i < f->groups.n; i++)
		close(f->groups.v[i].dir);
	array_free(&f->groups);
	free(f);
	dump->freezer = NULL;
}

int freezer_begin(struct dump *dump)
{
	struct freezer *f;
	int err;

	if (!dump->opts->freeze_cgroup)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return fail(-ENOMEM, "--freeze-cgroup");
	f->helper = HELPER_NONE;
	dump->freezer = f;
	err = open_groups(dump, f);
	if (!err)
		err = start_helper(f);
	if (err) {
		free_freezer(dump);
		return err;
	}
	err = write_state(f, &f->groups.v[0], true);
	return err ? fail(err, "freeze the cgroup %s (--freeze-cgroup)", dump->opts->freeze_cgroup) : 0;
}

bool freezer_hides_stops(const struct dump *dump)
{
	return dump->freezer && dump->freezer->v1;
}

struct visit {
	struct dump *dump;
	int (*fn)(struct dump *dump, int pid);
};

static int visit_processes(void *arg, int dir)
{
	const struct visit *visit = arg;
	_cleanup_buf_ struct buf list = { 0 };
	int err = read_file(dir, "cgroup.procs", &list);

	for (char *p = list.data; !err && p && *p; p += *p == '\n') {
		int pid = (int)strtol(p, &p, 10);

		err = pid ? visit->fn(visit->dump, pid) : 0;
	}
	return err;
}

int freezer_each_process(struct dump *dump, int (*fn)(struct dump *dump, int pid))
{
	struct visit visit = { dump, fn };

	return walk(dump->freezer->groups.v[0].dir, visit_processes, &visit);
}

int freezer_thaw(struct dump *dump)
{
	struct freezer *f = dump->freezer;
	int err = 0;

	for (size_t i = 0; f && !err && i < f->groups.n; i++)
		err = write_state(f, &f->groups.v[i], false);
	return err ? fail(err, "thaw the cgroup %s (--freeze-cgroup)", dump->opts->freeze_cgroup) : 0;
}

void freezer_end(struct dump *dump)
{
	struct freezer *f = dump->freezer;

	if (!f)
		return;
	if (set_back(f))
		log_warn("the state of the cgroup %s (--freeze-cgroup) could not be set back",
			 dump->opts->freeze_cgroup);
	helper_kill(&f->helper);
	free_freezer(dump);
}

bool freezer_was_frozen(const struct dump *dump, const struct stat *dir, bool *ret)
{
	const struct freezer *f = dump->freezer;

	for (size_t i = 0; f && i < f->groups.n; i++)
		if (f->groups.v[i].st.st_dev == dir->st_dev && f->groups.v[i].st.st_ino == dir->st_ino) {
			*ret = f->groups.v[i].was_frozen;
			return true;
		}
	return false;
}
