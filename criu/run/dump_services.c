/* SPDX-License-Identifier: GPL-2.0-only */
/* Services for kinds during a dump: see dump.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kernel/fdinfo.h"
#include "run/dump.h"
#include "util/log.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

void *dump_alloc(struct dump *dump, size_t size)
{
	return arena_alloc(&dump->arena, size);
}

char *dump_strdup(struct dump *dump, const char *s)
{
	return arena_strdup(&dump->arena, s);
}

char *dump_printf(struct dump *dump, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = arena_vprintf(&dump->arena, fmt, ap);
	va_end(ap);
	return s;
}

static void add_blocker(struct dump *dump, const struct dump_task *task, int fd, bool transient, const char *text)
{
	struct blocker *b = dump_alloc(dump, sizeof(*b));

	dump->blockers.nr++;
	dump->blockers.nr_transient += transient;
	if (!b)
		return;
	b->text = text;
	b->pid = task ? task->t.pid : 0;
	b->fd = fd;
	b->transient = transient;
	b->kind = dump->asked.kind;
	b->path = dump->asked.path ? dump_strdup(dump, dump->asked.path) : NULL;
	b->comm = task ? task->t.comm : "";
	if (dump->blockers.last)
		dump->blockers.last->next = b;
	else
		dump->blockers.first = b;
	dump->blockers.last = b;
}

void dump_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_blocker(dump, task, fd, false, arena_vprintf(&dump->arena, fmt, ap));
	va_end(ap);
}

void dump_transient_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_blocker(dump, task, fd, true, arena_vprintf(&dump->arena, fmt, ap));
	va_end(ap);
}

bool dump_may_try_again(const struct dump *dump, unsigned attempts)
{
	return dump->attempt < attempts && stats_now() < dump->retry_until;
}

int dump_try_again(struct dump *dump, int err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (stats_now() >= dump->retry_until)
		return fail(err, "%s", text);
	dump->try_again = true;
	log_info("%s: the dump starts again", text);
	return err;
}

pid_t dump_pid_of(const struct dump *dump, pid_t pid)
{
	uint64_t number = 0;

	if (!dump->pid_level)
		return pid;
	hash_get(&dump->numbers, (uint64_t)pid, &number);
	return (pid_t)number;
}

uint32_t dump_uid_of(const struct dump *dump, uint32_t uid)
{
	return id_map_inner(&dump->uid_map, uid);
}

const struct ns *dump_creator_of(const struct dump *dump, const struct ns *ns)
{
	const struct ns *first;

	if (ns->type == NS_MNT)
		ns_for_each(first, &dump->namespaces, NS_MNT)
			if (!first->own && first->member)
				return first->owner;
	return ns->owner;
}

uint32_t dump_gid_of(const struct dump *dump, uint32_t gid)
{
	return id_map_inner(&dump->gid_map, gid);
}

int dump_mount_of(const struct dump *dump, int mnt_id)
{
	uint64_t root;

	if (!dump->roots.by_mount || mnt_id < 0 || !hash_get(dump->roots.by_mount, (uint64_t)mnt_id, &root))
		return -1;
	return (int)root == AT_FDCWD ? -1 : mnt_id;
}

void dump_check_owner(struct dump *dump, const struct dump_task *task, const char *what, const struct stat *st)
{
	if (id_map_has(&dump->uid_map, st->st_uid) && id_map_has(&dump->gid_map, st->st_gid))
		return;
	dump_blocker(
		dump, task, -1,
		"%s belongs to %u:%u, as seen by the tool, which is not mapped in the user namespace of the tree, so that it cannot be restored with that owner: change it, or close it",
		what, st->st_uid, st->st_gid);
}

static bool is_number_in(const struct ns *of, const pid_t *inner, const struct ns *ns)
{
	return of && inner_number(&(struct inner_numbers){ of, inner }, ns);
}

/* Does @task see it, in a nested pid namespace? @number: a pid, tid, or pgid of the tree. */
static bool sees_number(const struct dump *dump, const struct dump_task *task, pid_t number)
{
	const struct ns *ns = task->t.pid_ns;
	const struct dump_task *other;

	if (!ns || !number)
		return true;
	dump_for_each_task(other, dump) {
		const struct task *t = &other->t;

		if ((t->pid == number && is_number_in(t->pid_ns, t->inner_pid, ns)) ||
		    (t->pgid == number && is_number_in(t->pid_ns, t->inner_pgid, ns)))
			return true;
		for (size_t i = 0; i < other->nr_threads; i++)
			if (other->threads[i].id.tid == number &&
			    is_number_in(t->pid_ns, other->threads[i].id.inner, ns))
				return true;
	}
	return false;
}

static const struct dump_task *task_of_thread(const struct dump *dump, pid_t host_tid)
{
	const struct dump_task *task;

	dump_for_each_task(task, dump)
		for (size_t i = 0; i < task->nr_threads; i++)
			if (task->threads[i].id.host_tid == host_tid)
				return task;
	return NULL;
}

void dump_check_thread_referred(struct dump *dump, const struct fd_probe *probe, pid_t host_tid)
{
	const struct dump_task *task = task_of_thread(dump, host_tid), *root = dump_task_of(dump->tree.root);

	if (task && task->t.host_pid != host_tid && task->ns[NS_USER] != root->ns[NS_USER])
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: it refers to a thread of process %d (pidfd, F_SETOWN_EX), which lives in another user namespace than the root of the tree: that is not supported",
			probe->link, task->t.pid);
}

int dump_fown(struct dump *dump, const struct fd_probe *probe, FownEntry **ret_fown)
{
	struct f_owner_ex owner = { 0 };
	uid_t uids[2] = { 0, 0 };
	FownEntry *fown = dump_alloc(dump, sizeof(*fown));
	int sig;

	if (!fown)
		return fail(-ENOMEM, "owner of a descriptor");
	fown_entry__init(fown);
	/* O_PATH descriptors have no owner: EBADF. */
	sig = fcntl(probe->local, F_GETSIG);
	if (sig > 0)
		fown->signum = sig;
	if (sig >= 0 && !fcntl(probe->local, F_GETOWN_EX, &owner) && owner.pid) {
		/*
		 * F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP have the same values as the kernel's enum pid_type in images
		 * (PIDTYPE_PID 0, TGID 1, PGID 2).
		 */
		fown->pid_type = owner.type;
		fown->pid = dump_pid_of(dump, owner.pid);
		/* The first task that has the descriptor sets it again. */
		if (!sees_number(dump, probe->task, (pid_t)fown->pid))
			dump_blocker(
				dump, probe->task, probe->fd,
				"%s: signals for it (F_SETOWN) are sent to %u, which is not visible in the pid namespace of this process: that is not supported; let it have another owner",
				probe->link, fown->pid);
		if (owner.type == F_OWNER_TID && !dump_find_task(dump, owner.pid) && !task_of_thread(dump, owner.pid))
			dump_blocker(
				dump, probe->task, probe->fd,
				"%s: signals for it (F_SETOWN_EX) are sent to thread %u, which is outside of the tree: that is not supported; let it have another owner",
				probe->link, fown->pid);
		if (owner.type == F_OWNER_TID)
			dump_check_thread_referred(dump, probe, owner.pid);
		if (!fcntl(probe->local, F_GETOWNER_UIDS, uids)) {
			fown->uid = dump_uid_of(dump, uids[0]);
			fown->euid = dump_uid_of(dump, uids[1]);
		}
	}
	*ret_fown = fown;
	return 0;
}

int fd_probe_info(struct dump *dump, struct fd_probe *probe, struct fdinfo **ret_info)
{
	int err;

	if (!probe->info) {
		_cleanup_proc_ struct proc self = PROC_CLOSED;
		struct fdinfo *info = calloc(1, sizeof(*info));

		if (!info)
			return fail(-ENOMEM, "fdinfo");
		if (probe->fd >= 0) {
			err = fdinfo_read(&probe->task->proc, probe->fd, info);
		} else {
			err = proc_open_self(&self);
			err = err < 0 ? err : fdinfo_read(&self, probe->local, info);
		}
		if (err < 0) {
			free(info);
			return fail(err, "read /proc/%d/fdinfo/%d", probe->task->t.host_pid, probe->fd);
		}
		probe->info = info;
	}
	*ret_info = probe->info;
	return 0;
}

static uint64_t fd_key(const struct dump_task *task, int fd)
{
	return (uint64_t)task->t.ids.files << 32 | (uint32_t)fd;
}

int dump_remember_fd(struct dump *dump, const struct dump_task *task, int fd, uint32_t id)
{
	return hash_put(&dump->fd_ids, fd_key(task, fd), id);
}

int dump_file_id_of(struct dump *dump, struct dump_task *task, int fd, uint32_t *ret_id)
{
	uint64_t id;

	if (!hash_get(&dump->fd_ids, fd_key(task, fd), &id))
		return -ENOENT;
	*ret_id = id;
	return 0;
}

uint32_t dump_new_file_id(struct dump *dump)
{
	return ++dump->last_file_id;
}

int dump_write_file_entry(struct dump *dump, FileEntry *entry)
{
	int err = image_write_record(dump->files_img, &entry->base);

	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

struct dump_task *dump_find_task(struct dump *dump, pid_t pid)
{
	return hash_get_ptr(&dump->task_by_pid, pid);
}

int dump_shared_image(struct dump *dump, enum image_type type, struct image_writer **ret_img)
{
	int err;

	if (!dump->images[type]) {
		err = image_create(dump->dir, type, 0, &dump->images[type]);
		if (err < 0)
			return fail(err, "%s", image_store_error(dump->dir));
	}
	*ret_img = dump->images[type];
	return 0;
}

int dump_close_shared_images(struct dump *dump)
{
	int first = 0;

	for (int type = 0; type < IMAGE_TYPES; type++) {
		int err = dump->images[type] ? image_close(dump->images[type]) : 0;

		dump->images[type] = NULL;
		if (err < 0 && !first)
			first = fail(err, "%s", image_store_error(dump->dir));
	}
	return first;
}
