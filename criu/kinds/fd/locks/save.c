// SPDX-License-Identifier: GPL-2.0-only
/* Which lock belongs to which descriptor: the fdinfo of a descriptor lists the locks acquired through it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "file-lock.pb-c.h"
#include "kernel/fdinfo.h"
#include "kinds/fd/locks/internal.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define INITIAL_PID_NS "pid:[4026531836]"
#define OVERLAY_MAGIC 0x794c7630u
/*
 * To list /proc/locks the kernel blocks all locking and waits for a grace period, 10 to 30 ms long (locks_start in
 * fs/locks.c, Linux 6.18); the fdinfo of one descriptor costs 11 us.
 */
#define BY_FDINFO 1000u

struct dump_locks {
	bool none; /* the kernel has no file locks */
	bool all_seen; /* /proc/locks lists every locked inode */
	bool listed; /* in @inodes */
	unsigned asked; /* descriptors whose own fdinfo has been read */
	struct hash inodes; /* of /proc/locks */
	struct hash tables; /* table and file id: POSIX locks have been read */
};

const char *locks_describe(const struct file_lock *lock, char *buf, size_t size)
{
	static const char *const names[] = {
		[LOCK_KIND_FLOCK] = "flock",
		[LOCK_KIND_POSIX] = "POSIX",
		[LOCK_KIND_OFD] = "open-file-description",
		[LOCK_KIND_LEASE] = "lease",
		[LOCK_KIND_DELEG] = "delegation",
	};
	const char *name = lock->kind < ARRAY_SIZE(names) ? names[lock->kind] : "strange";
	const char *type = lock->type == LOCK_TYPE_WRITE ? "write" : lock->type == LOCK_TYPE_READ ? "read" : "broken";
	int n;

	if (lock->kind == LOCK_KIND_LEASE && lock->breaking) {
		snprintf(buf, size, "a lease being broken");
		return buf;
	}
	if (lock->kind == LOCK_KIND_LEASE || lock->kind == LOCK_KIND_DELEG) {
		snprintf(buf, size, "a %s %s", type, name);
		return buf;
	}
	n = snprintf(buf, size, "%s %s %s lock", lock->kind == LOCK_KIND_OFD ? "an" : "a", name, type);
	if (lock->end != INT64_MAX)
		snprintf(buf + n, size - n, " on bytes %ld to %ld", lock->start, lock->end);
	else if (lock->start)
		snprintf(buf + n, size - n, " from byte %ld on", lock->start);
	return buf;
}

/* Once there are too many descriptors to query them one by one. */
static int list_inodes(struct dump_locks *state)
{
	struct file_locks locks = { 0 };
	int err = locks_read(&locks);

	for (size_t i = 0; !err && i < locks.n; i++)
		if (locks.v[i].has_inode)
			err = hash_put(&state->inodes, locks.v[i].ino, 1);
	array_free(&locks);
	state->listed = !err;
	return err < 0 ? fail(err, "read /proc/locks") : 0;
}

static void locks_free(void *p)
{
	struct dump_locks *state = p;

	hash_free(&state->inodes);
	hash_free(&state->tables);
}

int locks_survey(struct dump *dump)
{
	struct dump_locks *state = dump_alloc(dump, sizeof(*state));
	char ns[64];

	if (!state)
		return fail(-ENOMEM, "file locks");
	state->none = faccessat(proc_root(), "locks", F_OK, 0) < 0 && errno == ENOENT;
	/* In other pid namespaces it omits locks whose owner has no pid there, or has exited. */
	state->all_seen = read_link(proc_root(), "self/ns/pid", ns, sizeof(ns)) > 0 && !strcmp(ns, INITIAL_PID_NS);
	*dump_kind_data(dump, &locks_run) = state;
	return arena_defer(&dump->arena, locks_free, state) ? fail(-ENOMEM, "file locks") : 0;
}

/* 1, 0, or a negative errno, logged. */
static int may_be_locked(struct dump_locks *state, const struct fd_probe *probe)
{
	uint64_t any;
	int err;

	if (probe->no_locks)
		return 0;
	/* An overlay's inode has not always the number that it shows: that of the file below. */
	if (!state->all_seen || probe->fs_magic == OVERLAY_MAGIC)
		return !state->none && !(probe->flags & O_PATH);
	if (state->none || (!state->listed && state->asked++ < BY_FDINFO))
		return !state->none && !(probe->flags & O_PATH) && !S_ISSOCK(probe->st.st_mode);
	err = state->listed ? 0 : list_inodes(state);
	return err ? err : hash_get(&state->inodes, probe->st.st_ino, &any);
}

/*
 * Processes with a shared table share its POSIX locks; the pid that others see is that of the process that acquired it.
 */
static const struct dump_task *owner_of_lock(struct dump *dump, const struct fd_probe *probe,
					     const struct file_lock *lock)
{
	const struct dump_task *dt;

	if (lock->kind != LOCK_KIND_POSIX || lock->pid <= 0)
		return probe->task;
	dt = dump_find_task(dump, lock->pid);
	return dt && dt->t.state != TASK_DEAD && dt->t.ids.files == probe->task->t.ids.files ? dt : probe->task;
}

/*
 * The current type of a lease being broken. Only a write lease is broken to a read lease; and an open file with write
 * access can only have a write lease. In the other cases an attempt to open the file decides: a reader has to wait for
 * a write lease. It breaks nothing beyond what is being broken.
 */
static enum file_lock_type held_type(const struct dump *dump, const struct fd_probe *probe,
				     const struct file_lock *lock)
{
	int fd;

	if (lock->type == LOCK_TYPE_READ || (probe->flags & O_ACCMODE) != O_RDONLY)
		return LOCK_TYPE_WRITE;
	if (dump_is_check(dump))
		return LOCK_TYPE_READ;
	fd = proc_fd_open(probe->local, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? LOCK_TYPE_WRITE : LOCK_TYPE_READ;
	close(fd);
	return LOCK_TYPE_READ;
}

static uint32_t image_type(enum file_lock_type type)
{
	return type == LOCK_TYPE_WRITE ? F_WRLCK : type == LOCK_TYPE_READ ? F_RDLCK : F_UNLCK;
}

static int write_lock(struct dump *dump, const struct fd_probe *probe, uint32_t id, const struct file_lock *lock)
{
	static const unsigned flags[] = {
		[LOCK_KIND_FLOCK] = LOCKS_FLOCK,
		[LOCK_KIND_POSIX] = LOCKS_POSIX,
		[LOCK_KIND_OFD] = LOCKS_OFD,
		[LOCK_KIND_LEASE] = LOCKS_LEASE,
	};
	FileLockEntry entry = FILE_LOCK_ENTRY__INIT;
	struct image_writer *img;
	int err = dump_shared_image(dump, IMAGE_FILE_LOCKS, &img);

	if (err)
		return err;
	entry.flag = flags[lock->kind];
	entry.type = image_type(lock->breaking ? held_type(dump, probe, lock) : lock->type);
	entry.has_breaking = lock->breaking;
	entry.breaking = lock->breaking ? image_type(lock->type) : 0;
	entry.pid = owner_of_lock(dump, probe, lock)->t.pid;
	entry.fd = probe->fd;
	entry.has_file_id = probe->fd < 0;
	entry.file_id = entry.has_file_id ? id : 0;
	entry.start = lock->start;
	entry.len = lock->end == INT64_MAX ? 0 : lock->end - lock->start + 1;
	err = image_write_record(img, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* One that belongs to the open file, and that can be acquired when the file is sent again: later nobody has it. */
static bool can_be_in_flight(const struct fd_probe *probe, const struct file_lock *lock)
{
	return (lock->kind == LOCK_KIND_FLOCK || lock->kind == LOCK_KIND_OFD) &&
	       (S_ISREG(probe->st.st_mode) || S_ISDIR(probe->st.st_mode));
}

/* The process took it as another user, or the file had another owner. */
static void check_lease(struct dump *dump, const struct fd_probe *probe, const char *text)
{
	const struct rights *rights = dump->inside ? dump->inside : &dump->rights;

	if (probe->task->status.uid[PROC_FS] != probe->st.st_uid && !rights_may(rights, RIGHT_LEASES))
		dump_blocker(
			dump, probe->task, probe->fd,
			"holds %s on %s, which belongs to another user: to take it again %s: give it up (F_UNLCK), or run criu "
			"as root, without a user namespace",
			text, probe->link, rights_text(RIGHT_LEASES));
}

static int save_lock(struct dump *dump, const struct fd_probe *probe, uint32_t id, const struct file_lock *lock)
{
	char text[128];

	locks_describe(lock, text, sizeof(text));
	if (!dump->opts->file_locks) {
		dump_blocker(dump, probe->task, probe->fd, "holds %s on %s: --file-locks is needed to save it", text,
			     probe->link);
		return 0;
	}
	if (lock->kind >= LOCK_KIND_DELEG) {
		dump_blocker(dump, probe->task, probe->fd, "holds %s on %s: not supported", text, probe->link);
		return 0;
	}
	if (lock->kind == LOCK_KIND_LEASE)
		check_lease(dump, probe, text);
	if (probe->fd < 0 && !can_be_in_flight(probe, lock)) {
		dump_blocker(dump, probe->task, probe->fd,
			     "a descriptor that is only in flight in a socket holds %s on %s: receive it first", text,
			     probe->link);
		return 0;
	}
	return write_lock(dump, probe, id, lock);
}

/*
 * An unlinked file is read through a descriptor of our own; opening one breaks a write lease, and signals its holder.
 */
static bool is_untouchable(const struct fd_probe *probe, const struct file_lock *lock)
{
	return lock->kind == LOCK_KIND_LEASE && !probe->st.st_nlink && (lock->type != LOCK_TYPE_READ || lock->breaking);
}

int locks_save_fd(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh)
{
	struct dump_locks *state = *dump_kind_data(dump, &locks_run);
	struct fdinfo *info;
	bool fresh_table = false, untouchable = false;
	int err = may_be_locked(state, probe);

	if (err <= 0)
		return err;
	err = 0;
	/* POSIX locks belong to the owner of the table, all others to the open file. */
	if (probe->fd >= 0 &&
	    !hash_slot_of(&state->tables, (uint64_t)probe->task->t.ids.files << 32 | id, &fresh_table))
		return fail(-ENOMEM, "file locks");
	if (!fresh && !fresh_table)
		return 0;
	dump->asked.kind = "lock";
	dump->asked.path = probe->link;
	err = fd_probe_info(dump, probe, &info);
	for (size_t i = 0; !err && i < info->n; i++) {
		const struct file_lock *lock = &info->v[i].lock;

		if (info->v[i].tag != FDINFO_LOCK || !(lock->kind == LOCK_KIND_POSIX ? fresh_table : fresh))
			continue;
		err = save_lock(dump, probe, id, lock);
		if (!is_untouchable(probe, lock))
			continue;
		dump_blocker(dump, probe->task, probe->fd, "%s is unlinked, and reading it would break the lease on it",
			     probe->link);
		untouchable = true;
	}
	dump->asked.path = NULL;
	return err ? err : untouchable;
}
