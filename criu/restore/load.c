/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads and checks every entry. Nothing is created yet. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "image/lineage.h"
#include "image/verify.h"
#include "inventory.pb-c.h"
#include "kernel/boot_id.h"
#include "memory/memory.h"
#include "pstree.pb-c.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "task/ns_ids.h"
#include "util/log.h"

static int bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int bad(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	return -EBADMSG;
}

static int read_single(struct restore *r, enum image_type type, uint64_t id, void *ret_msg)
{
	void *msg;
	int err = image_read_single_into(r->dir, type, id, &r->arena.protobuf, &msg);

	if (!err)
		memcpy(ret_msg, &msg, sizeof(msg));
	return err < 0 ? fail(err, "%s", image_store_error(r->dir)) : 0;
}

/* Removed by someone who edited images, or lost. */
static void warn_of_missing_checksums(struct restore *r, const InventoryEntry *entry)
{
	_cleanup_close_ int fd = -1;
	struct image_extent extent;
	int err;

	if (!entry->has_checksums || !entry->checksums)
		return;
	err = image_store_open(r->dir, IMAGE_CHECKSUMS, 0, &extent);
	if (!err)
		fd = extent.fd;
	if (err == -ENOENT)
		log_warn(
			"checksums.img, which the dump wrote, is missing: images are not compared with their checksums");
}

static void load_cpu_features(struct restore *r, const OriginEntry *origin)
{
	char boot_id[BOOT_ID_LEN + 1];

	/* The same boot has the same CPU: CPUID takes time in a virtual machine. */
	if (!origin || (origin->boot_id && !boot_id_read(boot_id) && !strcmp(boot_id, origin->boot_id)))
		return;
	r->plan.cpu_features = origin->cpu_features;
	r->plan.nr_cpu_features = origin->n_cpu_features;
}

static int load_inventory(struct restore *r)
{
	InventoryEntry *entry;
	int err;

	if (!image_store_is_dump(r->dir))
		return bad("there is no inventory.img: the directory contains no (complete) dump");
	err = read_single(r, IMAGE_INVENTORY, 0, &entry);
	if (err)
		return err;
	if (entry->img_version == IMAGE_VERSION_PRE_DUMP || entry->has_pre_dump_mode)
		return bad(
			"inventory.img: these are images of a pre-dump: restore those of the dump that it was made for");
	if (entry->img_version != IMAGE_VERSION && entry->img_version != IMAGE_VERSION_BLOCKS)
		return bad("inventory.img: image version %u; expected version %d or %d", entry->img_version,
			   IMAGE_VERSION, IMAGE_VERSION_BLOCKS);
	err = image_use_checksums(r->dir, entry);
	if (err)
		return bad("%s", image_store_error(r->dir));
	warn_of_missing_checksums(r, entry);
	err = image_check_lineage(r->dir);
	if (err)
		return bad("%s", image_store_error(r->dir));
	err = image_check_freed(r->dir);
	if (err)
		return bad("%s", image_store_error(r->dir));
	if (!entry->has_fdinfo_per_id || !entry->fdinfo_per_id)
		return bad("inventory.img: images of a dumper that is too old (no fdinfo_per_id)");
	if (entry->plugins_entry && entry->plugins_entry->n_plugins)
		return bad("inventory.img: the dump used the plugin %s, and plugins are not implemented",
			   entry->plugins_entry->plugins[0]);
	r->plan.lsm = entry->has_lsmtype && entry->lsmtype == LSMTYPE__SELINUX	? LSM_SELINUX :
		      entry->has_lsmtype && entry->lsmtype == LSMTYPE__APPARMOR ? LSM_APPARMOR :
										  LSM_NONE;
	load_cpu_features(r, entry->origin);
	r->plan.root_cg_set = entry->has_root_cg_set ? entry->root_cg_set : 0;
	for (enum ns_type type = 0; entry->root_ids && type < NS_TYPES; type++)
		r->plan.own_ns_ids[type] = ns_ids_get(entry->root_ids, type);
	return 0;
}

static int load_thread(struct restore *r, struct restore_task *rt, struct restore_thread *th, uint32_t tid)
{
	int err = 0;

	th->id.tid = tid;
	th->core = rt->core;
	if (tid != (uint32_t)rt->t.pid)
		err = read_single(r, IMAGE_CORE, tid, &th->core);
	if (err)
		return err;
	if (th->core->mtype != core_march())
		return bad("core-%u.img: saved on a different type of CPU (%d)", tid, th->core->mtype);
	if (!core_has_registers(th->core) || !th->core->thread_core)
		return bad("core-%u.img: no registers (thread_info, thread_core)", tid);
	return 0;
}

static int load_threads(struct restore *r, struct restore_task *rt, const PstreeEntry *e)
{
	rt->nr_threads = e->n_threads;
	rt->threads = restore_alloc(r, rt->nr_threads * sizeof(*rt->threads));
	if (!rt->threads)
		return fail(-ENOMEM, "threads");
	if (!rt->nr_threads || e->threads[0] != e->pid)
		return bad("pstree.img: the first thread of %u is not itself", e->pid);
	for (size_t i = 0; i < rt->nr_threads; i++) {
		int err = load_thread(r, rt, &rt->threads[i], e->threads[i]);
		bool fresh;
		uint64_t *slot;

		if (err)
			return err;
		if (!e->threads[i] || e->threads[i] > INT32_MAX)
			return bad("pstree.img: thread id %u", e->threads[i]);
		slot = hash_slot_of(&r->plan.tids, e->threads[i], &fresh);
		if (!slot)
			return fail(-ENOMEM, "threads");
		*slot = e->pid;
		if (!fresh)
			return bad("pstree.img: duplicate thread %u", e->threads[i]);
	}
	return 0;
}

static int load_state(struct restore_task *rt)
{
	const TaskCoreEntry *tc = rt->core->tc;

	if (!tc)
		return bad("core-%d.img: no task entry (tc)", rt->t.pid);
	strncpy(rt->t.comm, tc->comm, sizeof(rt->t.comm) - 1);
	if (tc->has_exit_signal && tc->exit_signal > 64)
		return bad("core-%d.img: its exit signal is %u", rt->t.pid, tc->exit_signal);
	rt->t.exit_signal = tc->has_exit_signal ? (int)tc->exit_signal : SIGCHLD;
	rt->leader_ends =
		tc->task_state == TASK_LEADER_ENDED + TASK_ALIVE || tc->task_state == TASK_LEADER_ENDED + TASK_STOPPED;
	if (rt->leader_ends)
		rt->t.exit_code = tc->exit_code;
	switch (tc->task_state - (rt->leader_ends ? TASK_LEADER_ENDED : 0)) {
	case TASK_ALIVE:
		break;
	case TASK_DEAD:
		rt->t.exit_code = tc->exit_code;
		break;
	case TASK_STOPPED:
		rt->t.stop_signal = tc->has_stop_signo ? tc->stop_signo : SIGSTOP;
		if (rt->t.stop_signal < 1 || rt->t.stop_signal > 64)
			return bad("core-%d.img: stopped by signal %d", rt->t.pid, rt->t.stop_signal);
		rt->t.stop_unseen = tc->has_stop_unseen && tc->stop_unseen;
		break;
	default:
		return bad("core-%d.img: task state %u", rt->t.pid, tc->task_state);
	}
	rt->t.state = tc->task_state - (rt->leader_ends ? TASK_LEADER_ENDED : 0);
	return 0;
}

/* For types missing from the entry: the namespace of the dumper. */
static int load_namespaces(struct restore *r, struct restore_task *rt, const TaskKobjIdsEntry *ids)
{
	for (enum ns_type type = 0; type < NS_TYPES; type++) {
		uint32_t own = r->plan.own_ns_ids[type], id = ns_ids_get(ids, type) ?: own;
		struct ns *ns = ns_set_get_id(&r->plan.namespaces, &r->arena, type, id, !own || id == own);

		if (!ns)
			return fail(-ENOMEM, "namespaces");
		if (!ns->own && !kind_of_namespaces(type))
			return fail(
				-EOPNOTSUPP,
				"ids-%d.img: process %d was in its own %s namespace: restoring those is not implemented",
				rt->t.pid, rt->t.pid, ns_type_name(type));
		if (!ns->member)
			ns->member = &rt->t;
		rt->ns[type] = ns;
	}
	return 0;
}

static int load_ids(struct restore *r, struct restore_task *rt)
{
	TaskKobjIdsEntry *ids = rt->core->ids;

	if (!ids) {
		int err = read_single(r, IMAGE_IDS, rt->t.pid, &ids);

		if (err)
			return err;
	}
	rt->t.ids = (struct task_ids){ ids->vm_id, ids->files_id, ids->fs_id, ids->sighand_id };
	if (!ids->vm_id || !ids->files_id || !ids->fs_id || !ids->sighand_id)
		return bad("ids-%d.img: an id is 0", rt->t.pid);
	return load_namespaces(r, rt, ids);
}

enum owned { OWNED_VM = 1, OWNED_FILES, OWNED_FS, OWNED_SIGHAND };

/* The first task with an id owns that object; NULL: out of memory. */
static struct restore_task *owner_of(struct restore *r, enum owned what, uint32_t id, struct restore_task *rt)
{
	bool fresh;
	uint64_t *slot = hash_slot_of(&r->plan.id_owner, (uint64_t)what << 32 | id, &fresh);

	if (!slot)
		return NULL;
	if (fresh)
		*slot = (uintptr_t)rt;
	return (struct restore_task *)(uintptr_t)*slot;
}

static int find_owners(struct restore *r, struct restore_task *rt)
{
	const struct task_ids *ids = &rt->t.ids;
	struct restore_task *files = owner_of(r, OWNED_FILES, ids->files, rt);
	const struct restore_task *fs = owner_of(r, OWNED_FS, ids->fs, rt);
	const struct restore_task *sighand = owner_of(r, OWNED_SIGHAND, ids->sighand, rt);

	rt->mm_of = owner_of(r, OWNED_VM, ids->vm, rt);
	if (!rt->mm_of || !files || !fs || !sighand)
		return fail(-ENOMEM, "ids");
	rt->mm_owner = rt->mm_of == rt;
	rt->files_owner = files == rt;
	if (files != rt)
		files->files_shared = rt->files_shared = true;
	rt->fs_owner = fs == rt;
	rt->sighand_owner = sighand == rt;
	return 0;
}

static int cmp_task_fd(const void *a, const void *b)
{
	return ((const struct task_fd *)a)->fd - ((const struct task_fd *)b)->fd;
}

static int load_fdinfo(struct restore *r, struct restore_task *rt)
{
	struct restore_records records;
	int err = restore_read_records(r, IMAGE_FDINFO, rt->t.ids.files, &fdinfo_entry__descriptor, &records);

	if (err)
		return err;
	if (!records.v)
		return bad("fdinfo-%u.img is missing", rt->t.ids.files);
	rt->fds = restore_alloc(r, (records.n + 1) * sizeof(*rt->fds));
	if (!rt->fds)
		return fail(-ENOMEM, "descriptors");
	rt->nr_fds = records.n;
	for (size_t i = 0; i < records.n; i++) {
		const FdinfoEntry *e = (FdinfoEntry *)records.v[i];
		char who[64];

		snprintf(who, sizeof(who), "fdinfo-%u.img: fd %u", rt->t.ids.files, e->fd);
		if (e->fd > 1 << 24)
			return bad("%s: no such descriptor number", who);
		rt->fds[i] = (struct task_fd){
			.task = rt, .fd = e->fd, .cloexec = e->flags & 1, .file = restore_file(r, e->id, who)
		};
		if (!rt->fds[i].file)
			return -EBADMSG;
		if (rt->fds[i].file->kind->image_type != e->type)
			return bad("%s: file %#x is of type %d, not %d", who, e->id, rt->fds[i].file->kind->image_type,
				   e->type);
		r->service_base = MAX_OF(r->service_base, (int)e->fd + 1);
	}
	qsort(rt->fds, rt->nr_fds, sizeof(*rt->fds), cmp_task_fd);
	for (size_t i = 1; i < rt->nr_fds; i++)
		if (rt->fds[i].fd == rt->fds[i - 1].fd)
			return bad("fdinfo-%u.img: duplicate fd %d", rt->t.ids.files, rt->fds[i].fd);
	return 0;
}

static int load_alive(struct restore *r, struct restore_task *rt)
{
	int err = find_owners(r, rt);

	if (err)
		return err;
	if (rt->mm_owner)
		err = read_single(r, IMAGE_MM, rt->t.pid, &rt->mm);
	if (!err)
		err = read_single(r, IMAGE_FS, rt->t.pid, &rt->fs);
	if (!err && rt->files_owner)
		err = load_fdinfo(r, rt);
	if (!err && rt->mm_owner)
		err = memory_load(r, rt);
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++) {
		if ((*kind)->load)
			err = (*kind)->load(r, rt);
		for (size_t i = 0; !err && (*kind)->load_thread && i < rt->nr_threads; i++)
			err = (*kind)->load_thread(r, rt, &rt->threads[i]);
	}
	return err;
}

static int load_task(struct restore *r, const PstreeEntry *e)
{
	struct restore_task *rt = restore_alloc(r, sizeof(*rt)), *parent = NULL;
	int err;

	if (!rt)
		return fail(-ENOMEM, "tasks");
	rt->t.pid = e->pid;
	rt->t.ppid = e->ppid;
	rt->t.pgid = e->pgid;
	rt->t.sid = e->sid;
	rt->init_of = e->pid_ns;
	if (!e->pid || e->pid > INT32_MAX || e->pgid > INT32_MAX || e->sid > INT32_MAX)
		return bad("pstree.img: pid %u, group %u, session %u", e->pid, e->pgid, e->sid);
	if (restore_find_task(r, e->pid))
		return bad("pstree.img: duplicate pid %u", e->pid);
	/* Without a parent: it entered the pid namespace from outside (kinds/ns/pid.c). 4.2 saves no such process. */
	if (r->plan.tree.root && e->ppid) {
		parent = restore_find_task(r, e->ppid);
		if (!parent)
			return bad("pstree.img: the parent %u of %u is missing or comes after it", e->ppid, e->pid);
		if (parent->t.state == TASK_DEAD)
			return bad("pstree.img: the parent %u of %u is a zombie", e->ppid, e->pid);
	}
	err = restore_load_nested(r, rt, e);
	if (!err)
		err = hash_put_ptr(&r->plan.task_by_pid, e->pid, rt);
	if (!err)
		err = read_single(r, IMAGE_CORE, e->pid, &rt->core);
	if (!err)
		err = load_state(rt);
	if (err)
		return err;
	tree_add(&r->plan.tree, &rt->t, parent ? &parent->t : NULL);
	if (rt->t.state == TASK_DEAD)
		return parent ? 0 : bad("pstree.img: process %u has no parent and is a zombie", e->pid);
	/* Before images of objects in the namespaces are read. */
	err = load_ids(r, rt);
	if (!err)
		err = load_threads(r, rt, e);
	return err ? err : restore_load_nested_threads(r, rt);
}

static int load_pstree(struct restore *r)
{
	struct restore_records records;
	int err = restore_read_records(r, IMAGE_PSTREE, 0, &pstree_entry__descriptor, &records);

	if (!err && !records.n)
		return bad("pstree.img is missing or empty");
	for (size_t i = 0; !err && i < records.n; i++)
		err = load_task(r, (PstreeEntry *)records.v[i]);
	if (!err && restore_find_task(r, r->plan.tree.root->ppid))
		return bad("pstree.img: the root %d is a child of %d, which descends from it", r->plan.tree.root->pid,
			   r->plan.tree.root->ppid);
	return err ? err : restore_find_nested(r);
}

static const struct fd_kind *kind_by_type(int type)
{
	for (const struct fd_kind *const *kind = fd_kinds; *kind; kind++)
		if ((*kind)->image_type == (FdTypes)type && (*kind)->load)
			return *kind;
	return NULL;
}

static int load_file(struct restore *r, FileEntry *entry, unsigned index)
{
	struct file *file = &r->plan.files[index];
	bool fresh;
	uint64_t *slot = hash_slot_of(&r->plan.file_by_id, entry->id, &fresh);

	int err;

	LOG_SCOPE("files.img: file %#x", entry->id);
	if (!slot)
		return fail(-ENOMEM, "files");
	if (!fresh)
		return bad("duplicate entry");
	file->id = entry->id;
	file->index = index;
	file->entry = entry;
	file->owner_fd = file->inherited = -1;
	file->kind = kind_by_type(entry->type);
	if (!file->kind) {
		const ProtobufCEnumValue *name =
			protobuf_c_enum_descriptor_get_value(&fd_types__descriptor, entry->type);

		return fail(-EOPNOTSUPP, "type %s is not supported", name ? name->name : "unknown");
	}
	if (!file->kind->for_untrusted) {
		err = untrusted_refuse(r, file->kind->name);
		if (err)
			return err;
	}
	if (rights_need_all(&r->rights, file->kind->restore_rights, file->kind->name) < 0)
		return -EPERM;
	file->state = restore_alloc(r, file->kind->state_size + 1);
	*slot = (uintptr_t)file;
	if (!file->state)
		return fail(-ENOMEM, "files");
	restore_is_about(r, NULL, NULL, file);
	err = file->kind->load(r, file, file->state);
	file->loaded = !err;
	return err;
}

static int load_files(struct restore *r)
{
	struct restore_records records;
	int err = restore_read_records(r, IMAGE_FILES, 0, &file_entry__descriptor, &records);

	if (err)
		return err;
	if (!records.v)
		return bad("files.img is missing");
	r->plan.files = restore_alloc(r, (records.n + 1) * sizeof(*r->plan.files));
	if (!r->plan.files)
		return fail(-ENOMEM, "files");
	r->plan.nr_files = records.n;
	for (size_t i = 0; !err && i < records.n; i++) {
		restore_is_about(r, "files.img", NULL, NULL);
		err = restore_continues(r, load_file(r, (FileEntry *)records.v[i], i));
	}
	return err;
}

int restore_load(struct restore *r)
{
	const struct run_kind *kind;
	struct restore_task *rt;
	int err = load_inventory(r);

	run_for_each_kind(kind)
		if (!err && kind->load) {
			restore_is_about(r, kind->name, NULL, NULL);
			err = restore_continues(r, kind->load(r));
		}
	restore_is_about(r, NULL, NULL, NULL);
	if (!err)
		err = load_pstree(r);
	if (!err)
		err = restore_join_namespaces(r);
	if (!err)
		err = restore_load_user_namespaces(r);
	if (!err)
		err = load_files(r);
	restore_for_each_task(rt, r) {
		LOG_SCOPE("pid %d", rt->t.pid);

		restore_is_about(r, NULL, rt, NULL);
		if (!err && rt->t.state != TASK_DEAD)
			err = restore_continues(r, load_alive(r, rt));
		if (!err)
			err = untrusted_check_task(r, rt);
	}
	if (!err)
		log_info("read the images of %zu processes and %zu files", r->plan.tree.nr_tasks, r->plan.nr_files);
	return err;
}
