// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time namespaces. A restored tree always lives in one of its own, in which the clocks that count since boot go on from
 * where they stood at its dump, whatever happened in between: time_namespaces(7). Its members enter by being forked;
 * offsets can be set until the first one is in. Processes of one tree may be in several, each of which is made again.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel/clocks.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "timens.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* The kernel's own limit of these clocks: KTIME_SEC_MAX / 2 */
#define SECONDS_END 4611686018ull

/* Image files are named by number, but that of the namespace which the tool is in itself. */
static uint64_t image_number(uint32_t id, uint32_t own)
{
	return id == own ? 0 : id;
}

/* ---- dump ------------------------------------------------------------------------------- */

struct saved_space {
	struct saved_space *next;
	uint32_t ino, id;
	bool own; /* of the tool, too */
	struct clocks ahead; /* of those of the tool */
};

struct saved_spaces {
	uint32_t own_ino; /* 0: this kernel has none */
	uint32_t last_id;
	struct saved_space *first, **end;
};

static int own_ino(uint32_t *ret)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = proc_open(getpid(), &self);

	if (!err)
		err = proc_ns_ino(&self, PROC_NS_TIME, ret);
	return err == -ENOENT ? 0 : err;
}

static int begin(struct dump *dump)
{
	struct saved_spaces *spaces = dump_alloc(dump, sizeof(*spaces));
	int err;

	if (!spaces)
		return fail(-ENOMEM, "time namespaces");
	err = own_ino(&spaces->own_ino);
	if (err)
		return fail(err, "read /proc/self/ns/time");
	spaces->last_id = NS_NUMBERS;
	spaces->end = &spaces->first;
	*dump_kind_data(dump, &time_ns_run) = spaces;
	return 0;
}

/* How far its clocks are ahead of ours. */
static int compare_clocks(const struct proc *p, struct clocks *ret)
{
	struct clocks own, theirs;
	int err = clocks_own_ahead(&own);

	if (err == -EXDEV)
		return fail(
			err,
			"this program lives in another time namespace than the one that it has unshared for its children: start it by a fork (unshare --time --fork)");
	if (!err)
		err = clocks_ahead(p, &theirs);
	if (err)
		return fail(err, "read the offsets of time namespaces (/proc/%d/timens_offsets)", p->pid);
	ret->monotonic = theirs.monotonic - own.monotonic;
	ret->boottime = theirs.boottime - own.boottime;
	return 0;
}

static int find_space(struct dump *dump, const struct dump_task *task, uint32_t ino, struct saved_space **ret)
{
	struct saved_spaces *spaces = *dump_kind_data(dump, &time_ns_run);
	struct saved_space *space;
	int err = 0;

	for (space = spaces->first; space; space = space->next) {
		if (space->ino == ino) {
			*ret = space;
			return 0;
		}
	}
	space = dump_alloc(dump, sizeof(*space));
	if (!space)
		return fail(-ENOMEM, "time namespaces");
	space->ino = ino;
	space->own = ino == spaces->own_ino;
	space->id = space->own ? NS_TIME : ++spaces->last_id;
	if (!space->own)
		err = compare_clocks(&task->proc, &space->ahead);
	if (err)
		return err;
	*spaces->end = space;
	spaces->end = &space->next;
	*ret = space;
	return 0;
}

static int survey_task(struct dump *dump, struct dump_task *task)
{
	struct saved_space *space = NULL;
	uint32_t ino = 0, next = 0;
	int err;

	err = proc_ns_ino(&task->proc, PROC_NS_TIME, &ino);
	if (!err)
		err = proc_ns_ino(&task->proc, PROC_NS_TIME_CHILDREN, &next);
	/* A tree that is only looked at runs: a process that has ended is no failure. */
	if (dump->checking && (err == -ESRCH || err == -ENOENT))
		return err;
	if (err)
		return fail(err, "read /proc/%d/ns/time", task->t.host_pid);
	if (ino != next) {
		dump_blocker(
			dump, task, -1,
			"has unshared a time namespace for its children, and is in another one itself (unshare(CLONE_NEWTIME) without exec): that cannot be saved yet");
		return 0;
	}
	err = find_space(dump, task, ino, &space);
	if (!err)
		task->ns_ids[NS_TIME] = space->id;
	return err;
}

static int time_ns_survey(struct dump *dump)
{
	const struct saved_spaces *spaces;
	struct dump_task *task;
	int err = begin(dump);

	spaces = *dump_kind_data(dump, &time_ns_run);
	if (err || !spaces->own_ino)
		return err;
	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		err = task->t.state == TASK_DEAD ? 0 : survey_task(dump, task);
		if (dump->checking && (err == -ESRCH || err == -ENOENT)) {
			task->t.state = TASK_DEAD;
			err = 0;
		}
		if (err)
			return err;
	}
	return 0;
}

static int write_space(struct dump *dump, const struct saved_space *space)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic = TIMESPEC__INIT, boottime = TIMESPEC__INIT;
	int64_t mono = dump->stood.monotonic + space->ahead.monotonic;
	int64_t boot = dump->stood.boottime + space->ahead.boottime;
	int err;

	monotonic.tv_sec = (uint64_t)(mono / NSEC_IN_SEC);
	monotonic.tv_nsec = (uint64_t)(mono % NSEC_IN_SEC);
	boottime.tv_sec = (uint64_t)(boot / NSEC_IN_SEC);
	boottime.tv_nsec = (uint64_t)(boot % NSEC_IN_SEC);
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	err = image_write_single(dump->dir, IMAGE_TIMENS, image_number(space->id, NS_TIME), &entry.base);
	return err < 0 ? fail(err, "%s", image_dir_error(dump->dir)) : 0;
}

static int time_ns_save(struct dump *dump)
{
	const struct saved_spaces *spaces = *dump_kind_data(dump, &time_ns_run);
	struct saved_space none = { .id = NS_TIME };
	int err = 0;

	if (!spaces->first)
		return write_space(dump, &none);
	for (struct saved_space *space = spaces->first; !err && space; space = space->next)
		err = write_space(dump, space);
	return err;
}

/* ---- restore ---------------------------------------------------------------------------- */

struct time_space {
	struct time_space *next;
	uint32_t id;
	bool known; /* where its clocks stood: old images do not tell */
	struct clocks stood;
	int fd; /* while tasks are made, and where there are several; -1 */
};

struct time_spaces {
	uint32_t own_id; /* of the namespace that the dumper was in */
	bool clocks_go_on; /* in time namespaces, from where they stood at the dump */
	struct time_space *first;
	size_t nr;
};

static struct time_spaces *spaces_of(const struct restore *r)
{
	return r->plan.kind_data[kind_row(&time_ns_run)];
}

static int read_timespec(const Timespec *ts, int64_t *ret)
{
	if (ts->tv_sec >= SECONDS_END || ts->tv_nsec >= NSEC_IN_SEC)
		return -EBADMSG;
	*ret = (int64_t)ts->tv_sec * NSEC_IN_SEC + (int64_t)ts->tv_nsec;
	return 0;
}

static int read_space(struct restore *r, struct time_space *space)
{
	uint64_t number = image_number(space->id, spaces_of(r)->own_id);
	_cleanup_record_ TimensEntry *e = NULL;
	int err = image_read_single(r->dir, IMAGE_TIMENS, number, &e);

	/* CRIU's number of one that it has not looked into. */
	if (err == -ENOENT && number)
		err = image_read_single(r->dir, IMAGE_TIMENS, 0, &e);
	/* Dumps by old tools have none. */
	if (err == -ENOENT)
		return number ? fail(err, "timens-%lu.img", number) : 0;
	if (err < 0)
		return fail(err, "%s", image_dir_error(r->dir));
	err = read_timespec(e->monotonic, &space->stood.monotonic);
	if (!err)
		err = read_timespec(e->boottime, &space->stood.boottime);
	if (err)
		return fail(err, "timens-%lu.img: its clocks stand at no time", number);
	space->known = true;
	return 0;
}

static int load_task(struct restore *r, struct restore_task *rt)
{
	struct time_spaces *spaces = spaces_of(r);
	uint32_t id = rt->ids->has_time_ns_id ? rt->ids->time_ns_id : spaces->own_id;
	struct time_space *space;

	for (space = spaces->first; space; space = space->next) {
		if (space->id == id) {
			rt->time_space = space;
			return 0;
		}
	}
	space = restore_alloc(r, sizeof(*space));
	if (!space)
		return fail(-ENOMEM, "time namespaces");
	space->id = id;
	space->fd = -1;
	space->next = spaces->first;
	spaces->first = space;
	spaces->nr++;
	rt->time_space = space;
	return read_space(r, space);
}

static int time_ns_link(struct restore *r)
{
	struct time_spaces *spaces = restore_alloc(r, sizeof(*spaces));
	const TaskKobjIdsEntry *own = r->plan.own_ids;
	struct restore_task *rt;
	int err = 0;

	if (!spaces)
		return fail(-ENOMEM, "time namespaces");
	spaces->own_id = own && own->has_time_ns_id ? own->time_ns_id : 0;
	*restore_kind_data(r, &time_ns_run) = spaces;
	restore_for_each_task(rt, r)
		if (!err && rt->ids)
			err = load_task(r, rt);
	return err;
}

static struct time_space *space_of_root(struct restore *r)
{
	return restore_task_of(r->plan.tree.root)->time_space;
}

/* What this process has unshared for its children. The clocks of it begin where they stood at the dump. */
static int set_offsets(const struct time_space *space, const struct clocks *own_ahead)
{
	struct clocks now = clocks_now();
	int64_t mono = space->stood.monotonic - now.monotonic + own_ahead->monotonic;
	int64_t boot = space->stood.boottime - now.boottime + own_ahead->boottime;
	int64_t mono_nsec = (mono % NSEC_IN_SEC + NSEC_IN_SEC) % NSEC_IN_SEC;
	int64_t boot_nsec = (boot % NSEC_IN_SEC + NSEC_IN_SEC) % NSEC_IN_SEC;
	char text[128];

	snprintf(text, sizeof(text), "monotonic %ld %ld\nboottime %ld %ld\n", (mono - mono_nsec) / NSEC_IN_SEC,
		 mono_nsec, (boot - boot_nsec) / NSEC_IN_SEC, boot_nsec);
	return write_text(AT_FDCWD, "/proc/self/timens_offsets", text);
}

/* *ret_fd: the namespace, which nobody is in yet. */
static int make_space(struct restore *r, const struct time_space *space, const struct clocks *own_ahead, int *ret_fd,
		      const char **ret_step)
{
	int err, fd;

	*ret_step = "unshare(CLONE_NEWTIME)";
	if (unshare(CLONE_NEWTIME) < 0)
		return -errno;
	*ret_step = "set its offsets (/proc/self/timens_offsets)";
	err = set_offsets(space, own_ahead);
	if (err)
		return err;
	*ret_step = "open /proc/self/ns/time_for_children";
	fd = open_at(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY, 0);
	if (fd < 0)
		return fd;
	*ret_fd = move_fd_above(fd, r->service_base);
	if (*ret_fd < 0)
		close(fd);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int make_all(struct restore *r, const char **ret_step)
{
	struct clocks own_ahead;
	int err;

	*ret_step = "read the offsets of our own (/proc/self/timens_offsets)";
	err = clocks_own_ahead(&own_ahead);
	for (struct time_space *space = spaces_of(r)->first; !err && space; space = space->next)
		err = make_space(r, space, &own_ahead, &space->fd, ret_step);
	if (err)
		return err;
	*ret_step = "setns(CLONE_NEWTIME)";
	return setns(space_of_root(r)->fd, CLONE_NEWTIME) < 0 ? -errno : 0;
}

/* Nobody will get a namespace of his own: that is no reason to give up, but a person may have to know. */
static void tell_unmade(struct restore *r, const char *step, int err)
{
	const struct clocks now = clocks_now(), *stood = &space_of_root(r)->stood;
	int64_t mono = stood->monotonic - now.monotonic, boot = stood->boottime - now.boottime;
	int64_t back = mono > boot ? mono : boot;

	if (back <= 0) {
		log_info("no time namespace for the tree (%s: %s): its clocks jump forward by %ld ms", step,
			 strerror(-err), -back / 1000000);
		return;
	}
	log_notice(
		"the tree was saved when this machine, or another one, had been up for longer, and no time namespace can be made in which its clocks would go on (%s: %s): CLOCK_MONOTONIC and CLOCK_BOOTTIME go back by %ld.%03ld s for it; what waits for a point of that time (event loops, absolute timeouts) waits so much longer",
		step, strerror(-err), back / NSEC_IN_SEC, back / 1000000 % 1000);
}

static bool all_known(const struct restore *r)
{
	const struct time_space *space = spaces_of(r)->first;

	while (space && space->known)
		space = space->next;
	return !space;
}

/* Back into the one that we are in, with what we fork. */
static void forget_all(struct restore *r)
{
	_cleanup_close_ int self = sys_pidfd_open(getpid(), 0);

	for (struct time_space *space = spaces_of(r)->first; space; space = space->next) {
		if (space->fd >= 0)
			close(space->fd);
		space->fd = -1;
	}
	if (self < 0 || setns(self, CLONE_NEWTIME) < 0)
		log_debug("return to our own time namespace: %m");
}

/* In the root, before it forks. Descriptors are kept where others may have to enter by them. */
static void begin_clocks(struct restore *r)
{
	struct time_space *root = space_of_root(r);
	const char *step = NULL;
	int err;

	if (!all_known(r)) {
		log_info("the images do not tell where the clocks stood: no time namespace is made");
		return;
	}
	err = make_all(r, &step);
	spaces_of(r)->clocks_go_on = !err;
	if (err) {
		forget_all(r);
		tell_unmade(r, step, err);
	} else if (spaces_of(r)->nr == 1) {
		close(root->fd);
		root->fd = -1;
	}
}

/* Where its creator is, or the nearest one above that is in the images: helpers are where they are born. */
static const struct time_space *born_in(struct restore *r, const struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;

	while (by && !by->time_space)
		by = by->creator;
	return by ? by->time_space : space_of_root(r);
}

static int time_ns_enter(struct restore *r, const struct restore_task *rt)
{
	const struct time_space *space = rt->time_space;

	if (&rt->t == r->plan.tree.root)
		begin_clocks(r);
	if (!spaces_of(r)->clocks_go_on || !space || space == born_in(r, rt))
		return 0;
	return setns(space->fd, CLONE_NEWTIME) < 0 ? fail(-errno, "enter the time namespace %u", space->id) : 0;
}

struct clocks time_ns_stood(const struct restore *r, const struct restore_task *rt)
{
	return rt->time_space && spaces_of(r)->clocks_go_on ? rt->time_space->stood : (struct clocks){ 0 };
}

const struct run_kind time_ns_run = {
	.name = "time namespace",
	.namespaces = BIT(PROC_NS_TIME) | BIT(PROC_NS_TIME_CHILDREN),
	.survey = time_ns_survey,
	.save = time_ns_save,
	.link = time_ns_link,
	.in_namespaces = time_ns_enter,
};
