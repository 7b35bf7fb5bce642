/* SPDX-License-Identifier: GPL-2.0-only */
/* The images of tasks, and those of the whole dump. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include "dump/dump.h"
#include "dump/origin.h"
#include "dump/record.h"
#include "inventory.pb-c.h"
#include "memory/memory.h"
#include "pstree.pb-c.h"
#include "rpc.pb-c.h"
#include "run/dump.h"
#include "task/ns_ids.h"
#include "util/log.h"

static int write_single(struct dump *dump, enum image_type type, uint64_t id, const ProtobufCMessage *msg)
{
	int err = image_write_single(dump->dir, type, id, msg);

	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* Those of a task, or the tool's own (NULL). */
static void fill_namespaces(TaskKobjIdsEntry *ids, const struct dump_task *dt)
{
	for (enum ns_type type = 0; type < NS_TYPES; type++)
		ns_ids_set(ids, type, dt && dt->ns[type] ? dt->ns[type]->id : ns_own_id(type));
}

static int save_ids(struct dump *dump, struct dump_task *dt)
{
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;

	ids.vm_id = dt->t.ids.vm;
	ids.files_id = dt->t.ids.files;
	ids.fs_id = dt->t.ids.fs;
	ids.sighand_id = dt->t.ids.sighand;
	fill_namespaces(&ids, dt);
	return write_single(dump, IMAGE_IDS, dt->t.pid, &ids.base);
}

static void init_task_core(TaskCoreEntry *tc, const struct dump_task *dt)
{
	task_core_entry__init(tc);
	tc->task_state = dt->t.state + (dt->leader_ended ? TASK_LEADER_ENDED : 0);
	tc->exit_code = dt->t.state == TASK_DEAD || dt->leader_ended ? dt->t.exit_code : 0;
	tc->flags = dt->stat.flags;
	tc->comm = (char *)dt->t.comm;
	if (dt->t.state == TASK_STOPPED) {
		tc->has_stop_signo = 1;
		tc->stop_signo = dt->t.stop_signal;
		tc->has_stop_unseen = 1;
		tc->stop_unseen = dt->t.stop_unseen;
	}
	tc->has_exit_signal = dt->t.parent && dt->t.exit_signal >= 0 && dt->t.exit_signal != SIGCHLD;
	tc->exit_signal = tc->has_exit_signal ? dt->t.exit_signal : 0;
}

static int save_zombie(struct dump *dump, struct dump_task *dt)
{
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc;

	init_task_core(&tc, dt);
	tc.flags = 0;
	core.mtype = core_march();
	core.tc = &tc;
	return write_single(dump, IMAGE_CORE, dt->t.pid, &core.base);
}

static int save_core(struct dump *dump, struct dump_task *dt, struct dump_thread *th)
{
	bool leader = th == dt->threads;
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc;
	ThreadCoreEntry thread_core = THREAD_CORE_ENTRY__INIT;

	core.mtype = core_march();
	core.thread_core = &thread_core;
	if (leader) {
		init_task_core(&tc, dt);
		core.tc = &tc;
	}
	for (const struct task_kind *const *kind = task_kinds; *kind; kind++) {
		int err = leader && (*kind)->save ? (*kind)->save(dump, dt, &core) : 0;

		if (!err && (*kind)->save_thread)
			err = (*kind)->save_thread(dump, dt, th, &core);
		if (err)
			return err;
	}
	return write_single(dump, IMAGE_CORE, th->id.tid, &core.base);
}

static int save_images(struct dump *dump, struct dump_task *dt)
{
	int err = 0;

	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->save_images ? (*kind)->save_images(dump, dt) : 0;
	return err;
}

/* One entry for all tasks that share the memory. */
static int save_mm(struct dump *dump, struct dump_task *dt)
{
	int err = dt->mm_owner ? memory_save_mm(dump, dt, &dt->mm) : 0;

	return !err && dt->mm_owner ? write_single(dump, IMAGE_MM, dt->t.pid, &dt->mm->base) : err;
}

static int save_task(struct dump *dump, struct dump_task *dt)
{
	int err = save_ids(dump, dt);

	if (!err)
		err = save_mm(dump, dt);
	if (!err)
		err = save_images(dump, dt);
	for (size_t i = 0; !err && i < dt->nr_threads; i++) {
		LOG_SCOPE("thread %d", dt->threads[i].id.tid);

		err = save_core(dump, dt, &dt->threads[i]);
	}
	return err;
}

static void put_threads(const struct dump_task *dt, uint32_t *to, size_t depth)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		memcpy(to + i * depth, dt->threads[i].id.inner, depth * sizeof(*to));
}

/* NULL: out of memory. */
static NestedPidsEntry *nested_of(struct dump *dump, const struct dump_task *dt)
{
	NestedPidsEntry *e = dump_alloc(dump, sizeof(*e));
	const struct ns *ns = dt->t.pid_ns;
	const size_t depth = ns->depth, nr_threads = dt->t.state == TASK_DEAD ? 0 : dt->nr_threads;
	uint32_t *threads = dump_alloc(dump, (nr_threads * depth + 1) * sizeof(*threads));

	if (!e || !threads)
		return NULL;
	nested_pids_entry__init(e);
	e->ns_id = ns->id;
	e->has_parent_id = ns->init == &dt->t && ns->outer;
	e->parent_id = ns->outer ? ns->outer->id : 0;
	e->pid = (uint32_t *)dt->t.inner_pid;
	e->pgid = (uint32_t *)dt->t.inner_pgid;
	e->sid = (uint32_t *)dt->t.inner_sid;
	e->n_pid = e->n_pgid = e->n_sid = depth;
	if (nr_threads)
		put_threads(dt, threads, depth);
	e->threads = threads;
	e->n_threads = nr_threads * depth;
	return e;
}

static int save_pstree(struct dump *dump)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	struct dump_task *dt;
	int err = image_create(dump->dir, IMAGE_PSTREE, 0, &img);

	dump_for_each_task(dt, dump) {
		size_t n = dt->t.state == TASK_DEAD ? 1 : dt->nr_threads;
		PstreeEntry entry = PSTREE_ENTRY__INIT;
		uint32_t *tids = dump_alloc(dump, n * sizeof(*tids));

		if (!tids)
			return fail(-ENOMEM, "pstree");
		for (size_t i = 0; i < n; i++)
			tids[i] = dt->t.state == TASK_DEAD ? 0 : dt->threads[i].id.tid; /* as in CRIU */
		entry.pid = dt->t.pid;
		entry.ppid = dt->t.parent ? dt->t.parent->pid : 0;
		entry.pgid = dt->t.pgid;
		entry.sid = dt->t.sid;
		entry.threads = tids;
		entry.pid_ns = dt->init_of;
		if (dt->t.pid_ns)
			entry.nested = nested_of(dump, dt);
		if (dt->t.pid_ns && !entry.nested)
			return fail(-ENOMEM, "pstree");
		entry.n_threads = n;
		if (!err)
			err = image_write_record(img, &entry.base);
	}
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int save_inventory(struct dump *dump)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;
	struct origin origin;
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;
	int err;

	ids.vm_id = ids.files_id = ids.fs_id = ids.sighand_id = 1;
	fill_namespaces(&ids, NULL);
	/* CRIU 4.2 refuses it. */
	entry.img_version = dump->opts->compress || dump->stats.dump.pages_same ? IMAGE_VERSION_BLOCKS : IMAGE_VERSION;
	entry.has_compress = entry.has_compress_block_size = dump->opts->compress != COMPRESS_NONE;
	entry.compress = 1;
	entry.compress_block_size = dump->opts->compress_block;
	entry.has_fdinfo_per_id = entry.fdinfo_per_id = 1;
	entry.has_ns_per_id = entry.ns_per_id = 1;
	entry.root_ids = &ids;
	/* As in CRIU, the tool's own set has a fixed id, and no record. */
	entry.has_root_cg_set = entry.root_cg_set = 1;
	entry.has_lsmtype = 1;
	entry.lsmtype = dump->lsm == LSM_SELINUX  ? LSMTYPE__SELINUX :
			dump->lsm == LSM_APPARMOR ? LSMTYPE__APPARMOR :
						    LSMTYPE__NO_LSM;
	entry.has_dump_uptime = 1;
	/* On the clock of process start times: proc_pid_stat(5). */
	entry.dump_uptime = (uint64_t)clocks_now().boottime / 1000;
	/* nftables also replaces iptables (kinds/fd/inet/lock.c). */
	entry.has_network_lock_method = 1;
	entry.network_lock_method = dump->opts->network_lock == NETWORK_LOCK_SKIP ? CRIU_NETWORK_LOCK_METHOD__SKIP :
										    CRIU_NETWORK_LOCK_METHOD__NFTABLES;
	dump_fill_origin(dump, &origin);
	entry.origin = &origin.entry;
	entry.has_checksums = entry.checksums = image_store_has_checksums(dump->dir);
	entry.dump_criu_run_id = dump->run_id;
	entry.parent_run_id = dump->stats.dump.pages_skipped_parent ? (char *)memory_parent_run_id(dump) : NULL;
	err = write_single(dump, IMAGE_INVENTORY, 0, &entry.base);
	return err ? err : record_inventory(dump, &entry);
}

static int make_snapshots(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump->guard_copy = dump_guard_copy;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (err || !dt->mm)
			continue;
		err = memory_snapshot(dump, dt, dt->mm);
		if (!err)
			dump_note_copy(dump, dt);
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	return err;
}

/* Pages: now, or a snapshot of them if that lets the tree resume sooner. */
static int save_memory(struct dump *dump)
{
	struct dump_task *dt;
	int err = dump_saves_after_thaw(dump) ? make_snapshots(dump) : 0;

	dump->interrupted = dump_interrupted_soon;
	if (!err)
		err = memory_hint_same(dump, false);
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!dt->mm)
			continue;
		if (!err && !memory_has_snapshot(dt))
			err = memory_save_pages(dump, dt, dt->mm);
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	return err;
}

int dump_save(struct dump *dump)
{
	const struct run_kind *kind;
	struct dump_task *dt;
	int err = save_pstree(dump);

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (err)
			break;
		err = dt->t.state == TASK_DEAD ? save_zombie(dump, dt) : save_task(dump, dt);
	}
	/* Blockers from the tasks' entries are reported before the long part starts. */
	if (err || dump->blockers.nr)
		return err;
	if (!err)
		err = memory_find_same(dump);
	if (!err)
		err = save_memory(dump);
	run_for_each_kind(kind)
		if (!err && kind->save)
			err = kind->save(dump);
	return err;
}

/* Threads that could not be stopped in time are held in the stop that they reach now. */
static void let_late_ones_go(void *arg)
{
	struct dump *dump = arg;

	dump_release_attached(dump->attached);
}

int dump_save_rest(struct dump *dump)
{
	const struct run_kind *kind;
	struct dump_task *dt;
	int err;

	dump->between_pages = let_late_ones_go;
	err = memory_hint_same(dump, true);
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && memory_has_snapshot(dt)) {
			err = memory_save_pages(dump, dt, dt->mm);
			dump_end_copy_soon(dump, dt);
			dump_release_attached(dump->attached);
		}
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	dump_end_copies(dump);
	run_for_each_kind(kind)
		if (!err && kind->save_rest)
			err = kind->save_rest(dump);
	return err ? err : save_inventory(dump);
}
