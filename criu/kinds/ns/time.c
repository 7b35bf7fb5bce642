// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time namespaces. A restored tree always gets its own, in which the clocks that count since boot continue from their
 * values at its dump, whatever happened in between: time_namespaces(7). Its members enter by being forked; offsets can
 * be set until the first one is in. Processes of one tree may be in several, each of which is recreated.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel/clocks.h"
#include "kinds/kinds.h"
#include "kinds/ns/time_ns.h"
#include "run/dump.h"
#include "run/helper_process.h"
#include "run/outside.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "timens.pb-c.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* The kernel's limit for these clocks: KTIME_SEC_MAX / 2 */
#define SECONDS_END 4611686018ull

/* Image files are named by namespace id, except that of the namespace which the tool itself is in. */
static uint64_t image_number(const struct ns *ns)
{
	return ns->own ? 0 : ns->id;
}

/* ---- dump ------------------------------------------------------------------------------- */

static int read_own_ahead(struct clocks *ret)
{
	int err = clocks_own_ahead(ret);

	if (err == -EXDEV)
		return fail(
			err,
			"this program is in another time namespace than the one that it has unshared for its children: start it with a fork (unshare --time --fork)");
	return err ? fail(err, "read the offsets of our time namespace") : 0;
}

/*
 * ns->data: offset of its clocks from the tool's, which are its own if it is NULL. Children of @proc are in it.
 */
static int survey_clocks(struct dump *dump, const struct proc *proc, struct ns *ns)
{
	struct clocks *ahead, own;
	int err;

	if (ns->own || ns->data)
		return 0;
	ahead = dump_alloc(dump, sizeof(*ahead));
	if (!ahead)
		return fail(-ENOMEM, "time namespaces");
	err = read_own_ahead(&own);
	if (err)
		return err;
	err = clocks_of_children_ahead(proc, ahead);
	if (err)
		return fail(err, "read the offsets of time namespaces (/proc/%d/timens_offsets)", proc->pid);
	ahead->monotonic -= own.monotonic;
	ahead->boottime -= own.boottime;
	ns->data = ahead;
	return 0;
}

struct inside {
	int ns, out;
};
struct clocks_answer {
	int err;
	struct clocks ahead;
};

/* In a process whose children are in the namespace, too. */
static int report_clocks(void *arg)
{
	const struct inside *inside = arg;
	struct clocks_answer answer = { 0 };

	answer.err = setns(inside->ns, CLONE_NEWTIME) < 0 ? -errno : clocks_own_ahead(&answer.ahead);
	return write(inside->out, &answer, sizeof(answer)) != sizeof(answer);
}

/* Only a process whose memory nobody shares can enter a time namespace. */
static int query_clocks(int ns, struct clocks *ret_ahead)
{
	struct helper_process helper = HELPER_NONE;
	struct inside inside = { .ns = ns };
	const struct helper_job job = { .run = report_clocks, .arg = &inside };
	struct clocks_answer answer = { 0 };
	int pipe[2], err;
	bool answered;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return -errno;
	inside.out = pipe[1];
	err = helper_start(&helper, &job);
	close(pipe[1]);
	if (!err) {
		helper_wait(&helper);
		answered = read(pipe[0], &answer, sizeof(answer)) == sizeof(answer);
		err = answered ? answer.err : -ECHILD;
	}
	close(pipe[0]);
	if (!err)
		*ret_ahead = answer.ahead;
	return err;
}

/* All that are in it have unshared another one for their children, whose offsets are all that /proc has. */
static int survey_clocks_inside(struct dump *dump, struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	_cleanup_close_ int fd = proc_ns_open(&member->proc, PROC_NS_TIME);
	struct clocks *ahead = dump_alloc(dump, sizeof(*ahead)), own;
	int err = !ahead ? -ENOMEM : fd < 0 ? fd : query_clocks(fd, ahead);

	if (err)
		return fail(err, "enter the time namespace of process %d", member->t.host_pid);
	err = read_own_ahead(&own);
	if (err)
		return err;
	ahead->monotonic -= own.monotonic;
	ahead->boottime -= own.boottime;
	ns->data = ahead;
	return 0;
}

static int survey_rest(struct dump *dump)
{
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &dump->namespaces, NS_TIME)
		if (!err && !ns->own && !ns->data && ns->member && ns->member->state != TASK_DEAD)
			err = survey_clocks_inside(dump, ns);
	return err;
}

static int survey_children(struct dump *dump, struct dump_task *task, uint32_t next)
{
	struct stat own = { 0 };
	int err;

	if (fstatat(proc_root(), "self/ns/time", &own, 0) < 0)
		return fail(-errno, "stat our own time namespace");
	err = time_children_survey(dump, task, next, own.st_ino == next);
	return err || !task->time_ns_for_children ? err : survey_clocks(dump, &task->proc, task->time_ns_for_children);
}

static int survey_task(struct dump *dump, struct dump_task *task)
{
	struct ns *ns = task->ns[NS_TIME];
	uint32_t next = 0;
	int err = proc_ns_ino(&task->proc, PROC_NS_TIME_CHILDREN, &next);

	/* For a check, the tree is running: a process that has exited is not a failure. */
	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT)) {
		task->t.state = TASK_DEAD;
		return 0;
	}
	if (err)
		return fail(err, "read /proc/%d/ns/time_for_children", task->t.host_pid);
	return ns->ino == next ? survey_clocks(dump, &task->proc, ns) : survey_children(dump, task, next);
}

static int time_ns_survey(struct dump *dump)
{
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);
		int err = task->t.state != TASK_DEAD && task->ns[NS_TIME] ? survey_task(dump, task) : 0;

		if (err)
			return err;
	}
	int err = time_children_check(dump);

	return err ? err : survey_rest(dump);
}

static Timespec timespec_of(int64_t nsec)
{
	Timespec ts = TIMESPEC__INIT;

	ts.tv_sec = (uint64_t)(nsec / NSEC_IN_SEC);
	ts.tv_nsec = (uint64_t)(nsec % NSEC_IN_SEC);
	return ts;
}

static int write_clocks(struct dump *dump, const struct ns *ns)
{
	const struct clocks none = { 0 }, *ahead = ns->data ? ns->data : &none;
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic = timespec_of(dump->stood.monotonic + ahead->monotonic);
	Timespec boottime = timespec_of(dump->stood.boottime + ahead->boottime);
	int err;

	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	err = image_write_single(dump->dir, IMAGE_TIMENS, image_number(ns), &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int time_ns_save(struct dump *dump)
{
	const struct ns ours = { .type = NS_TIME, .own = true };
	const struct ns *ns;
	int err = 0;
	bool any = false;

	ns_for_each(ns, &dump->namespaces, NS_TIME) {
		if (!err)
			err = write_clocks(dump, ns);
		any = true;
	}
	return any ? err : write_clocks(dump, &ours);
}

/* ---- restore ---------------------------------------------------------------------------- */

static struct time_restore *data_of(const struct restore *r)
{
	return r->plan.kind_data[kind_row(&time_ns_run)];
}

static struct time_ns_state *state_of(const struct restore_task *rt)
{
	return rt->ns[NS_TIME] ? rt->ns[NS_TIME]->data : NULL;
}

static int read_timespec(const Timespec *ts, int64_t *ret)
{
	if (ts->tv_sec >= SECONDS_END || ts->tv_nsec >= NSEC_IN_SEC)
		return -EBADMSG;
	*ret = (int64_t)ts->tv_sec * NSEC_IN_SEC + (int64_t)ts->tv_nsec;
	return 0;
}

static int read_state(struct restore *r, const struct ns *ns, struct time_ns_state *state)
{
	uint64_t number = image_number(ns);
	_cleanup_record_ TimensEntry *e = NULL;
	int err = image_read_single(r->dir, IMAGE_TIMENS, number, &e);

	/* CRIU's id of one that it has not inspected. */
	if (err == -ENOENT && number)
		err = image_read_single(r->dir, IMAGE_TIMENS, 0, &e);
	/* Missing from old dumps. */
	if (err == -ENOENT)
		return number ? fail(err, "timens-%lu.img", number) : 0;
	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	err = read_timespec(e->monotonic, &state->stood.monotonic);
	if (!err)
		err = read_timespec(e->boottime, &state->stood.boottime);
	if (err)
		return fail(err, "timens-%lu.img: invalid clock values", number);
	state->known = true;
	return 0;
}

static struct ns *root_ns(struct restore *r)
{
	return restore_task_of(r->plan.tree.root)->ns[NS_TIME];
}

static int time_ns_link(struct restore *r)
{
	struct time_restore *data = arena_alloc_apart(&r->arena, sizeof(*data));
	struct restore_task *rt;
	struct ns *ns;
	int err = data ? time_children_load(r) : fail(-ENOMEM, "time namespaces");

	if (err)
		return err;
	*restore_kind_data(r, &time_ns_run) = data;
	ns_for_each(ns, &r->plan.namespaces, NS_TIME) {
		struct time_ns_state *state = err ? NULL : restore_alloc(r, sizeof(*state));

		if (err)
			break;
		if (!state)
			return fail(-ENOMEM, "time namespaces");
		ns->data = state;
		state->run = data;
		data->nr++;
		err = ns->joined ? 0 : read_state(r, ns, state);
	}
	if (!err && root_ns(r)->joined && data->nr > 1)
		err = fail(-EOPNOTSUPP,
			   "--join-ns time: the tree was in several time namespaces: that is not supported");
	if (!err)
		err = time_children_link(r);
	restore_for_each_task(rt, r)
		if (!err && restore_is_vm_peer(rt) && rt->ns[NS_TIME] != rt->mm_of->ns[NS_TIME])
			err = fail(-EBADMSG,
				   "pid %d is in another time namespace than tasks with which it shares memory",
				   rt->t.pid);
	return err;
}

static struct time_ns_state *state_of_root(struct restore *r)
{
	return root_ns(r)->data;
}

/* Before the first is created. */
static int set_base(struct time_restore *data)
{
	struct clocks own_ahead, now;
	int err = clocks_own_ahead(&own_ahead);

	if (err)
		return err;
	now = clocks_now();
	data->base.monotonic = now.monotonic - own_ahead.monotonic;
	data->base.boottime = now.boottime - own_ahead.boottime;
	return 0;
}

static int create_all(struct restore *r, const char **ret_step)
{
	struct ns *ns;
	int err;

	*ret_step = "read the offsets of our own (/proc/self/timens_offsets)";
	err = set_base(data_of(r));
	ns_for_each(ns, &r->plan.namespaces, NS_TIME) {
		if (err)
			break;
		if (((const struct time_ns_state *)ns->data)->creator)
			continue;
		err = time_ns_create(r, ns, ret_step);
	}
	if (err)
		return err;
	*ret_step = "setns(CLONE_NEWTIME)";
	return setns(root_ns(r)->fd, CLONE_NEWTIME) < 0 ? -errno : 0;
}

/* No task gets its own namespace: the restore continues, but the user may have to know. */
static void report_failure(struct restore *r, const char *step, int err)
{
	const struct clocks now = clocks_now(), *stood = &state_of_root(r)->stood;
	int64_t mono = stood->monotonic - now.monotonic, boot = stood->boottime - now.boottime;
	int64_t back = mono > boot ? mono : boot;

	if (back <= 0) {
		log_info("no time namespace for the tree (%s: %s): its clocks jump forward by %ld ms", step,
			 strerror(-err), -back / 1000000);
		return;
	}
	log_notice(
		"the tree was saved when this machine, or another one, had been up for longer, and no time namespace can be created in which its clocks would continue (%s: %s): its CLOCK_MONOTONIC and CLOCK_BOOTTIME go back by %ld.%03ld s; waits for absolute times of these clocks (event loops, absolute timeouts) take that much longer",
		step, strerror(-err), back / NSEC_IN_SEC, back / 1000000 % 1000);
}

static bool all_known(const struct restore *r)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_TIME)
		if (!((const struct time_ns_state *)ns->data)->known)
			return false;
	return true;
}

/* Returns to the namespace that we are in, for what we fork. */
static void forget_all(struct restore *r)
{
	_cleanup_close_ int self = sys_pidfd_open(getpid(), 0);
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_TIME) {
		if (ns->fd >= 0)
			close(ns->fd);
		ns->fd = -1;
	}
	if (self < 0 || setns(self, CLONE_NEWTIME) < 0)
		log_debug("return to our own time namespace: %m");
}

/* In the root, before it forks. Descriptors are kept if other tasks may have to enter through them. */
static void start_clocks(struct restore *r)
{
	struct ns *root = root_ns(r);
	const char *step = NULL;
	int err;

	if (!all_known(r)) {
		log_info("the images do not contain the clocks: no time namespace is created");
		return;
	}
	err = create_all(r, &step);
	data_of(r)->clocks_continue = !err;
	if (err) {
		forget_all(r);
		report_failure(r, step, err);
	} else if (data_of(r)->nr == 1) {
		close(root->fd);
		root->fd = -1;
	}
}

/*
 * The namespace of its creator, or for its children, or of its nearest ancestor in the images: helpers are where they were
 * forked.
 */
static const struct time_ns_state *created_in(struct restore *r, const struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;
	const struct ns *next;

	while (by && !state_of(by))
		by = by->creator;
	next = by ? time_children_early(r, by) : NULL;
	return next ? next->data : by ? state_of(by) : state_of_root(r);
}

static int enter(const struct ns *ns)
{
	return setns(ns->fd, CLONE_NEWTIME) < 0 ? fail(-errno, "enter the time namespace %u", ns->id) : 0;
}

static int time_ns_enter(struct restore *r, const struct restore_task *rt)
{
	const struct time_ns_state *state = state_of(rt);
	int err;

	/* --join-ns: its clocks are not those of the dump, so timers get the time that was left. */
	if (root_ns(r)->joined)
		return &rt->t == r->plan.tree.root ? enter(root_ns(r)) : 0;
	if (&rt->t == r->plan.tree.root)
		start_clocks(r);
	if (!data_of(r)->clocks_continue || !state)
		return 0;
	err = state == created_in(r, rt) ? 0 : enter(rt->ns[NS_TIME]);
	return err ? err : time_children_at_birth(r, rt);
}

struct clocks time_ns_at_dump(const struct restore *r, const struct restore_task *rt)
{
	return state_of(rt) && data_of(r)->clocks_continue ? state_of(rt)->stood : (struct clocks){ 0 };
}

const struct run_kind time_ns_run = {
	.name = "time namespace",
	.namespaces = BIT(NS_TIME),
	.can_join = true,
	.survey = time_ns_survey,
	.save = time_ns_save,
	.link = time_ns_link,
	.at_birth = time_ns_enter,
};
