// SPDX-License-Identifier: GPL-2.0-only
/* State of a task shown by prctl(2) and /proc/PID, other than credentials, signals and scheduling. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/outside.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum {
	PF_IO_FLUSHER = 0x00180000, /* PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE: PR_GET_IO_FLUSHER needs a capability */
	PF_MCE_PROCESS = 0x80, /* PR_MCE_KILL_SET: sets only these two flags */
	PF_MCE_EARLY = 0x08000000,
	MCE_KILL_LATE = 0,
	MCE_KILL_EARLY = 1,
	MCE_KILL_DEFAULT = 2,
	SPEC_PRCTL = 1, /* PR_SPEC_PRCTL: the thread may choose */
	SPEC_ENABLE = 2,
	SPEC_KNOWN = 0x1f,
	TIMER_CREATE_RESTORE_IDS = 77, /* prctl(2), since Linux 6.15 */
	RESTORE_IDS_GET = 2,
	MEMBARRIER_REGISTER_ALL = 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8,
	THP_FLAGS_KNOWN = 2, /* PR_THP_DISABLE_EXCEPT_ADVISED */
	MDWE_KNOWN = 3,
	COMM_LEN = 16,
};

/* ---- dump ---- */

static int attributes_survey(struct dump *dump, struct dump_task *task)
{
	if (task->parasite && task->parasite->rlimits[RLIMIT_CPU][0] != RLIM_INFINITY)
		log_warn("its CPU time is limited (RLIMIT_CPU: %llu s), and will be counted from 0 after a restore",
			 (unsigned long long)task->parasite->rlimits[RLIMIT_CPU][0]);
	return 0;
}

static char *save_name(struct dump *dump, const struct proc_stat *stat)
{
	return dump_printf(dump, "%.*s", COMM_LEN - 1, stat->comm);
}

/* Of those that others are like. */
struct known {
	struct {
		const struct dump_task *task;
		bool has_loginuid, has_filter;
		uint32_t loginuid;
		uint64_t filter;
	} v[4];
	unsigned next;
};

static bool save_known(struct dump *dump, const struct dump_task *task, TaskCoreEntry *tc)
{
	const struct known *known = *dump_kind_data(dump, &attributes_kind);

	for (size_t i = 0; known && task->alike && i < ARRAY_SIZE(known->v); i++) {
		if (known->v[i].task != task->alike)
			continue;
		tc->has_loginuid = known->v[i].has_loginuid;
		tc->loginuid = known->v[i].loginuid;
		tc->has_coredump_filter = known->v[i].has_filter;
		tc->coredump_filter = known->v[i].filter;
		tc->has_oom_score_adj = true;
		tc->oom_score_adj = task->kernel->oom_score_adj;
		return true;
	}
	return false;
}

static void note_known(struct dump *dump, const struct dump_task *task, const TaskCoreEntry *tc)
{
	void **data = dump_kind_data(dump, &attributes_kind);
	struct known *known = *data ? *data : dump_alloc(dump, sizeof(*known));
	unsigned i;

	if (!known)
		return;
	*data = known;
	i = known->next++ % ARRAY_SIZE(known->v);
	known->v[i].task = task;
	known->v[i].has_loginuid = tc->has_loginuid;
	known->v[i].loginuid = tc->loginuid;
	known->v[i].has_filter = tc->has_coredump_filter;
	known->v[i].filter = tc->coredump_filter;
}

static int save_from_proc(struct dump *dump, struct dump_task *task, TaskCoreEntry *tc)
{
	int oom;

	tc->comm = save_name(dump, &task->stat);
	if (!tc->comm)
		return no_memory("name");
	if (save_known(dump, task, tc))
		return 0;
	/* The kernel may be built without these. */
	int err = proc_loginuid(&task->proc, &tc->loginuid);
	tc->has_loginuid = !err;
	if (err && err != -ENOENT)
		return fail(err, "read /proc/%d/loginuid", task->t.host_pid);
	err = proc_coredump_filter(&task->proc, &tc->coredump_filter);
	tc->has_coredump_filter = !err;
	err = proc_oom_score_adj(&task->proc, &oom);
	if (err)
		return fail(err, "read /proc/%d/oom_score_adj", task->t.host_pid);
	tc->has_oom_score_adj = true;
	tc->oom_score_adj = oom;
	if (task->kernel)
		note_known(dump, task, tc);
	return 0;
}

static int attributes_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	const struct parasite_task *in = task->parasite;
	TaskCoreEntry *tc = core->tc;

	int err = save_from_proc(dump, task, tc);
	if (err)
		return err;
	tc->flags = (uint32_t)task->stat.flags;
	if (!in)
		return fail(-ENODATA, "attributes: no parasite data");
	tc->personality = task->threads[0].parasite.personality;
	tc->has_child_subreaper = true;
	tc->child_subreaper = in->child_subreaper > 0;
	tc->has_membarrier_registration_mask = in->membarrier > 0;
	tc->membarrier_registration_mask = in->membarrier > 0 ? (uint32_t)in->membarrier : 0;
	tc->has_thp_disable_flags = in->thp_disabled > 1;
	tc->thp_disable_flags = in->thp_disabled > 1 ? (uint32_t)in->thp_disabled & ~1u : 0;
	tc->has_mdwe = in->mdwe > 0;
	tc->mdwe = in->mdwe > 0 ? (uint32_t)in->mdwe : 0;
	tc->has_timer_restore_ids = tc->timer_restore_ids = in->timer_restore_ids > 0;
	tc->has_memory_merge = tc->memory_merge = in->memory_merge > 0;
	/* Zero for a single thread that has requested none. With several threads, 0 means the global table. */
	tc->has_futex_hash_slots = in->futex_slots > 0 || (in->futex_slots == 0 && task->nr_threads > 1);
	tc->futex_hash_slots = in->futex_slots > 0 ? (uint32_t)in->futex_slots : 0;
	return 0;
}

/* Only if the thread had a choice, and made one. */
static void save_speculation(int32_t v, protobuf_c_boolean *ret_has, uint32_t *ret_v)
{
	*ret_has = v > 0 && (v & SPEC_PRCTL);
	*ret_v = *ret_has ? (uint32_t)v : 0;
}

/* The signal is sent on the exit of a thread. In a restore, the main thread of a process forks its children. */
static void report_other_parent(const struct dump_task *task, const struct dump_thread *thread)
{
	const struct dump_task *parent = task->t.parent ? dump_task_of(task->t.parent) : NULL;
	struct pid_array leader = { 0 }, children = { 0 };
	bool found = false;
	int err = !parent || parent->nr_threads < 2 ? -ENOENT : array_add(&leader, parent->threads[0].id.host_tid);

	if (!err)
		err = proc_children_of(&parent->proc, &leader, &children);
	for (size_t i = 0; !err && i < children.n && !found; i++)
		found = children.v[i] == task->t.host_pid;
	if (!err && !found)
		log_warn(
			"thread %d: requests signal %d when the thread of process %d that forked it exits (PR_SET_PDEATHSIG); "
			"after a restore it is sent when the main thread of that process exits",
			thread->id.host_tid, thread->parasite.pdeath_signal, parent->t.host_pid);
	array_free(&leader);
	array_free(&children);
}

static int attributes_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread,
				  CoreEntry *core)
{
	const struct parasite_thread *in = &thread->parasite;
	ThreadCoreEntry *e = core->thread_core;

	e->comm = save_name(dump, &thread->stat);
	if (!e->comm)
		return no_memory("name");
	if (in->pdeath_signal > 0 && task->t.parent && dump_task_of(task->t.parent)->leader_ended)
		dump_blocker(
			dump, task, -1,
			"requests signal %d when a thread of process %d exits (PR_SET_PDEATHSIG), whose main thread has "
			"exited: not supported",
			in->pdeath_signal, task->t.parent->pid);
	else if (in->pdeath_signal > 0)
		report_other_parent(task, thread);
	e->has_personality = in->personality != task->threads[0].parasite.personality;
	e->personality = e->has_personality ? in->personality : 0;
	e->has_pdeath_sig = in->pdeath_signal > 0;
	e->pdeath_sig = in->pdeath_signal > 0 ? (uint32_t)in->pdeath_signal : 0;
	e->has_io_flusher = e->io_flusher = (thread->stat.flags & PF_IO_FLUSHER) == PF_IO_FLUSHER;
	e->has_mce_kill = (thread->stat.flags & PF_MCE_PROCESS) != 0;
	e->mce_kill = e->has_mce_kill && (thread->stat.flags & PF_MCE_EARLY) ? MCE_KILL_EARLY : MCE_KILL_LATE;
	save_speculation(in->spec_store_bypass, &e->has_spec_store_bypass, &e->spec_store_bypass);
	save_speculation(in->spec_indirect_branch, &e->has_spec_indirect_branch, &e->spec_indirect_branch);
	save_speculation(in->spec_l1d_flush, &e->has_spec_l1d_flush, &e->spec_l1d_flush);
	return 0;
}

/* ---- restore ---- */

static int check_mm(const struct restore_task *task)
{
	const MmEntry *mm = task->mm;
	pid_t pid = task->t.pid;

	if (mm && mm->has_dumpable && (mm->dumpable < 0 || mm->dumpable > 2))
		return fail(-EBADMSG, "mm-%d.img: invalid dumpable %d", pid, mm->dumpable);
	if (mm && mm->has_dumpable && mm->dumpable == 2)
		log_warn("mm-%d.img: dumpable is 2, which only the kernel can set: the task becomes undumpable (0)",
			 pid);
	return 0;
}

static int attributes_load(struct restore *r, struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;
	pid_t pid = task->t.pid;

	if (strlen(tc->comm) >= COMM_LEN)
		return core_refuse(pid, "tc.comm is longer than %d bytes", COMM_LEN - 1);
	if (tc->has_oom_score_adj && (tc->oom_score_adj < -1000 || tc->oom_score_adj > 1000))
		return core_refuse(pid, "tc.oom_score_adj %d", tc->oom_score_adj);
	if (tc->has_membarrier_registration_mask && (tc->membarrier_registration_mask & ~MEMBARRIER_REGISTER_ALL))
		log_warn("core-%d.img: tc.membarrier_registration_mask 0x%x: unknown registrations are ignored", pid,
			 tc->membarrier_registration_mask);
	if (tc->has_thp_disable_flags && (tc->thp_disable_flags & ~(uint32_t)THP_FLAGS_KNOWN))
		return core_refuse(pid, "tc.thp_disable_flags 0x%x", tc->thp_disable_flags);
	if (tc->has_futex_hash_slots &&
	    (tc->futex_hash_slots > INT32_MAX || tc->futex_hash_slots & (tc->futex_hash_slots - 1)))
		return core_refuse(pid, "tc.futex_hash_slots %u", tc->futex_hash_slots);
	if (tc->timer_restore_ids && prctl(TIMER_CREATE_RESTORE_IDS, RESTORE_IDS_GET, 0, 0, 0) < 0)
		return fail(
			-EOPNOTSUPP,
			"core-%d.img: its new timers get the ids that it requests (PR_TIMER_CREATE_RESTORE_IDS), which this "
			"kernel cannot do: restore on Linux 6.15 or later, or turn it off before the dump",
			pid);
	if (tc->has_mdwe && (tc->mdwe & ~(uint32_t)MDWE_KNOWN))
		return core_refuse(pid, "tc.mdwe 0x%x", tc->mdwe);
	int err = check_mm(task);
	if (!err)
		err = fresh_child_need(&r->plan.fresh_child, FRESH_PROC);
	return err ? err : fresh_child_need(&r->plan.fresh_child, FRESH_ATTRIBUTES);
}

static int attributes_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *e = thread->core->thread_core;
	pid_t tid = thread->id.tid;

	if (!e)
		return 0;
	if (e->comm && strlen(e->comm) >= COMM_LEN)
		return core_refuse(tid, "thread_core.comm is longer than %d bytes", COMM_LEN - 1);
	if (e->has_pdeath_sig && e->pdeath_sig > PARASITE_NR_SIG)
		return core_refuse(tid, "thread_core.pdeath_sig %u", e->pdeath_sig);
	if (e->has_mce_kill && e->mce_kill > MCE_KILL_DEFAULT)
		return core_refuse(tid, "thread_core.mce_kill %u", e->mce_kill);
	if ((e->spec_store_bypass | e->spec_indirect_branch | e->spec_l1d_flush) & ~(uint32_t)SPEC_KNOWN)
		return core_refuse(tid, "thread_core.spec_*: unknown bits");
	return 0;
}

/* Write a number to a file in our own /proc directory, unless it contains it already. */
static int write_number(const struct restore *r, const char *name, const char *fmt, long long v)
{
	char text[32];

	snprintf(text, sizeof(text), fmt, v);
	return restore_write_own_proc(r, name, text);
}

static int apply_loginuid(const struct restore *r, const struct fresh_child *now, const TaskCoreEntry *tc)
{
	if (!tc->has_loginuid || !now->has_loginuid || now->loginuid == tc->loginuid)
		return 0;
	int err = write_number(r, "loginuid", "%lld", (long long)tc->loginuid);
	if (err)
		log_warn("loginuid remains %d, it was %d: changing it needs CAP_AUDIT_CONTROL", (int)now->loginuid,
			 (int)tc->loginuid);
	return 0;
}

static int fail_oom(int err, int value)
{
	if (err == -EACCES)
		return fail(err,
			    "set oom_score_adj to %d: lowering it below its previous minimum needs CAP_SYS_RESOURCE",
			    value);
	return fail(err, "set oom_score_adj to %d", value);
}

/* The lowest value that is written with the right to do so is how low a task may go without it. */
static int attributes_before_user_ns(struct restore *r)
{
	struct fresh_child *now = &r->plan.fresh_child;
	const TaskCoreEntry *root = restore_task_of(r->plan.tree.root)->core->tc;
	struct restore_task *task;
	int lowest = now->oom_score_adj, err = apply_loginuid(r, now, root);

	if (err)
		return err;
	/* The number in the images is that outside. */
	if (root->has_loginuid)
		now->loginuid = root->loginuid;
	restore_for_each_task(task, r) {
		const TaskCoreEntry *tc = task->core ? task->core->tc : NULL;

		if (tc && tc->has_oom_score_adj && tc->oom_score_adj < lowest)
			lowest = tc->oom_score_adj;
	}
	if (!now->has_oom || lowest == now->oom_score_adj)
		return 0;
	err = write_number(r, "oom_score_adj", "%lld", lowest);
	now->oom_score_adj = lowest;
	return err ? fail_oom(err, lowest) : 0;
}

static int attributes_apply(struct restore *r, struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;
	const struct fresh_child *now = &r->plan.fresh_child;
	int err = apply_loginuid(r, now, tc);

	if (err)
		return err;
	if (tc->has_coredump_filter && now->has_filter && now->coredump_filter != tc->coredump_filter) {
		err = write_number(r, "coredump_filter", "0x%llx", (long long)tc->coredump_filter);
		if (err)
			return fail(err, "set coredump_filter to 0x%llx", (unsigned long long)tc->coredump_filter);
	}
	if (!tc->has_oom_score_adj || (now->has_oom && now->oom_score_adj == tc->oom_score_adj))
		return 0;
	err = write_number(r, "oom_score_adj", "%lld", tc->oom_score_adj);
	return err ? fail_oom(err, tc->oom_score_adj) : 0;
}

static int attributes_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const TaskCoreEntry *tc = task->core->tc;
	const MmEntry *mm = task->mm;

	wire->timer_restore_ids = tc->has_timer_restore_ids && tc->timer_restore_ids;
	wire->child_subreaper = tc->has_child_subreaper && tc->child_subreaper;
	wire->dumpable = mm && mm->has_dumpable ? (mm->dumpable == 1) : -1;
	wire->thp_disabled = mm && mm->has_thp_disabled ? mm->thp_disabled : -1;
	if (wire->thp_disabled > 0)
		wire->thp_disabled |= (int32_t)tc->thp_disable_flags;
	/* Attributes of the mm, set by its owner. */
	wire->mdwe = mm && tc->has_mdwe ? (int32_t)tc->mdwe : -1;
	wire->memory_merge = mm && tc->has_memory_merge ? tc->memory_merge : -1;
	wire->futex_slots = mm && tc->has_futex_hash_slots ? (int32_t)tc->futex_hash_slots : -1;
	wire->membarrier = mm && tc->has_membarrier_registration_mask ?
				   (int32_t)(tc->membarrier_registration_mask & MEMBARRIER_REGISTER_ALL) :
				   -1;
	return 0;
}

/* Of the memory what its owner knows before any of its threads has taken on other credentials: that changes dumpable. */
static void note_inherited(struct restore *r, const struct restore_task *task, struct wire_thread *wire)
{
	const struct fresh_child *now = &r->plan.fresh_child;
	const MmEntry *mm = task->mm;

	if (now->personality == wire->personality)
		wire->inherited |= INHERITED_PERSONALITY;
	if (mm && mm->has_thp_disabled && !mm->thp_disabled && !now->thp_disabled)
		wire->inherited |= INHERITED_THP;
	if (mm && mm->has_dumpable && mm->dumpable == 1 && now->dumpable == 1 && !restore_in_user_ns(task))
		wire->inherited |= INHERITED_DUMPABLE;
}

static int attributes_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				       struct wire_thread *wire)
{
	const ThreadCoreEntry *e = thread->core->thread_core;
	const char *comm = e->comm ? e->comm : task->core->tc->comm;

	memset(wire->comm, 0, sizeof(wire->comm));
	memcpy(wire->comm, comm, strnlen(comm, COMM_LEN - 1));
	wire->personality = e->has_personality ? e->personality : task->core->tc->personality;
	wire->pdeath_signal = (int32_t)e->pdeath_sig;
	wire->io_flusher = e->has_io_flusher ? e->io_flusher : -1;
	wire->mce_kill = e->has_mce_kill ? (int32_t)e->mce_kill : -1;
	wire->spec_store_bypass = e->has_spec_store_bypass ? (int32_t)e->spec_store_bypass : -1;
	wire->spec_indirect_branch = e->has_spec_indirect_branch ? (int32_t)e->spec_indirect_branch : -1;
	wire->spec_l1d_flush = e->has_spec_l1d_flush ? (int32_t)e->spec_l1d_flush : -1;
	note_inherited(r, task, wire);
	return 0;
}

const struct task_kind attributes_kind = {
	.name = "attributes",
	.survey = attributes_survey,
	.save = attributes_save,
	.save_thread = attributes_save_thread,
	.load = attributes_load,
	.load_thread = attributes_load_thread,
	.before_user_ns = attributes_before_user_ns,
	.apply = attributes_apply,
	.hand_over = attributes_hand_over,
	.hand_over_thread = attributes_hand_over_thread,
};
