// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd_create(2): an inode without a name, memfd.img, and any number of descriptions and mappings of it. The tool makes
 * every inode before it forks; tasks open it through /proc/self/fd.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "memfd.pb-c.h"
#include "memory/shmem.h"
#include "pie/vma.h"
#include "run/limits.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC 0x0010u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#define SEALS_KNOWN (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

#define MEMFD_PREFIX "/memfd:"
#define DELETED " (deleted)"
enum { BACKING_ANONYMOUS = 1, BACKING_SYSV = 2 }; /* memfd_inode_entry.backing */
#define MEMFD_NAME_MAX 249 /* memfd_create(2) */
#define VMA_STATUS_MAPS_FILE (1u << 7 | 1u << 14) /* shared file, memfd */

/* ---- dump ---- */

struct memfd_seen {
	struct record record; /* device; inode, of a SysV segment with SYSV_INODE */
	uint32_t inode_id;
	bool runs; /* may be executed: it matters whether anybody may write to it */
	bool asked, has_writers; /* the kernel, whether it counts any */
	MemfdFileEntry *writer; /* the first description that could be that of memfd_create(2) */
	unsigned nr_writers; /* descriptions of the tree that write */
};

/* SysV segments have their ids for inode numbers. */
#define SYSV_INODE (1ull << 63)

struct memfd_entry {
	struct record record; /* inode id, flags */
	uint32_t file_id;
};

struct memfd_dump {
	struct record_table inodes; /* struct memfd_seen */
	struct record_table paths; /* struct memfd_entry: those that stand for mappings */
};

/* Files of shared anonymous memory and SysV segments, too: images describe them as memfds. */
bool memfd_is(int local, const char *link)
{
	struct statfs fs;
	struct stat st;

	return shm_sort_by_link(link) != SHM_NONE && !fstat(local, &st) && !fstatfs(local, &fs) &&
	       shmem_sort(&st, fs.f_type, link) != SHM_NONE;
}

static bool memfd_claims(const struct fd_probe *probe)
{
	return probe->link && shmem_sort(&probe->st, probe->fs_magic, probe->link) != SHM_NONE;
}

static char *memfd_name(struct dump *dump, const char *link)
{
	char *name = dump_strdup(dump, str_has_prefix(link, MEMFD_PREFIX) ? link + strlen(MEMFD_PREFIX) : link);

	if (name)
		name[strlen(name) - strlen(DELETED)] = 0;
	return name;
}

/* Its number in images, and what it is besides. */
static int fill_backing(struct dump *dump, int local, const struct stat *st, const char *link, MemfdInodeEntry *entry)
{
	enum shm_sort sort = shm_sort_by_link(link);
	uint32_t kdev = dev_to_kdev(st->st_dev);
	int err;

	if (sort == SHM_SYSV) {
		err = shmem_note_sysv(dump, local, st, entry->hugetlb_flag ? MAP_HUGETLB | entry->hugetlb_flag : 0);
		if (!err) {
			entry->has_backing = true;
			entry->backing = BACKING_SYSV;
			entry->shmid = st->st_ino;
		}
		if (err != -ESRCH)
			return err;
		kdev = ~kdev;
	}
	if (sort == SHM_ANONYMOUS) {
		entry->has_backing = true;
		entry->backing = BACKING_ANONYMOUS;
		err = entry->has_hugetlb_flag ? shmem_note_huge(dump, kdev, st->st_ino) : 0;
		if (err)
			return err;
	}
	return shmem_id(dump, kdev, st->st_ino, entry->has_hugetlb_flag, &entry->shmid);
}

static int save_inode(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen *seen)
{
	MemfdInodeEntry entry = MEMFD_INODE_ENTRY__INIT;
	_cleanup_close_ int own = -1;
	struct image_writer *img;
	struct statfs fs;
	int seals, err;

	/* O_PATH descriptors know nothing of seals. */
	if (fcntl(local, F_GETFL) & O_PATH) {
		own = reopen_fd(local, O_RDONLY);
		if (own < 0)
			return fail(own, "open %s", link);
		local = own;
	}
	seals = fcntl(local, F_GET_SEALS);
	if (seals < 0 || fstatfs(local, &fs) < 0)
		return fail(-errno, "seals of %s", link);
	if (seals & ~SEALS_KNOWN)
		return fail(-EOPNOTSUPP, "%s has seals (%#x) that this version does not know", link, seals);
	if (fs.f_type == HUGETLBFS_MAGIC) {
		entry.has_hugetlb_flag = true;
		entry.hugetlb_flag = MFD_HUGETLB | (uint32_t)__builtin_ctzl(fs.f_bsize) << MFD_HUGE_SHIFT;
	}
	entry.name = memfd_name(dump, link);
	if (!entry.name)
		return fail(-ENOMEM, "memfd");
	err = fill_backing(dump, local, st, link, &entry);
	if (err)
		return err;
	entry.uid = dump_uid_of(dump, st->st_uid);
	entry.gid = dump_gid_of(dump, st->st_gid);
	entry.size = st->st_size;
	entry.seals = seals;
	entry.inode_id = seen->inode_id;
	/* Without x bits, and sealed so, it never will be. */
	seen->runs = !entry.has_hugetlb_flag && ((st->st_mode & 0111) || !(seals & F_SEAL_EXEC));
	entry.has_mode = true;
	entry.mode = st->st_mode;
	err = dump_shared_image(dump, IMAGE_MEMFD_INODE, &img);
	if (err)
		return err;
	err = image_write_record(img, &entry.base);
	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	return shmem_save(dump, local, entry.size, entry.shmid);
}

static int seen_of(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen **ret_seen)
{
	struct memfd_dump *data = kind_data_of(&dump->arena, dump_kind_data(dump, &memfd_kind), sizeof(*data));
	uint64_t ino = st->st_ino | (shm_sort_by_link(link) == SHM_SYSV ? SYSV_INODE : 0);
	struct memfd_seen *seen = data ? record_find(&data->inodes, st->st_dev, ino) : NULL;
	int err = 0;

	if (!data)
		return fail(-ENOMEM, "memfd");
	if (!seen) {
		seen = record_new(&dump->arena, &data->inodes, st->st_dev, ino, sizeof(*seen));
		if (!seen)
			return fail(-ENOMEM, "memfd");
		seen->inode_id = data->inodes.n;
		err = save_inode(dump, local, st, link, seen);
	}
	*ret_seen = seen;
	return err;
}

/*
 * The description that memfd_create(2) gives is not counted as a writer; those of open(2) are, and while there are any,
 * the memory cannot be executed. A read lease is only to be had without writers (fcntl(2), F_SETLEASE). One who opens the
 * file for writing in this instant, from outside the tree, waits for us; his signal is one that nobody dies of.
 */
static bool has_writers(int local)
{
	_cleanup_close_ int fd = reopen_fd(local, O_RDONLY | O_NONBLOCK);

	if (fd < 0 || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static void ask_for_writers(struct dump *dump, struct memfd_seen *seen, int local)
{
	if (!seen->runs || seen->asked || dump_is_check(dump))
		return;
	seen->asked = true;
	seen->has_writers = has_writers(local);
}

static bool writes(unsigned flags)
{
	return !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
}

/* Could it be what memfd_create(2) gave? That one does not know O_DIRECT. */
static bool may_be_first(unsigned flags)
{
	return !(flags & (O_PATH | O_DIRECT)) && (flags & O_ACCMODE) == O_RDWR;
}

static int memfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	MemfdFileEntry *file = dump_alloc(dump, sizeof(*file));
	struct memfd_seen *seen;
	int err;

	if (!file)
		return fail(-ENOMEM, "memfd");
	memfd_file_entry__init(file);
	file->id = entry->id;
	file->flags = probe->flags;
	file->pos = probe->pos;
	entry->memfd = file;
	err = dump_fown(dump, probe, &file->fown);
	if (!err)
		err = seen_of(dump, probe->local, &probe->st, probe->link, &seen);
	if (err)
		return err;
	file->inode_id = seen->inode_id;
	seen->nr_writers += writes(file->flags);
	if (may_be_first(file->flags) && !seen->writer) {
		seen->writer = file;
		ask_for_writers(dump, seen, probe->local);
	}
	return 0;
}

/* Of several that write one may be the first one, and nothing tells which: the first that was met. */
static int memfd_save_end(struct dump *dump)
{
	struct memfd_dump *data = *dump_kind_data(dump, &memfd_kind);

	for (struct record *rec = data ? data->inodes.first : NULL; rec; rec = rec->next) {
		struct memfd_seen *seen = (struct memfd_seen *)rec;

		if (seen->writer && seen->nr_writers == 1 && seen->has_writers)
			seen->writer->has_reopened = seen->writer->reopened = true;
	}
	return 0;
}

int memfd_path_id(struct dump *dump, struct dump_task *task, int local, const char *link, unsigned flags,
		  uint32_t *ret_id)
{
	FileEntry entry = FILE_ENTRY__INIT;
	MemfdFileEntry file = MEMFD_FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	struct memfd_dump *data;
	struct memfd_entry *known;
	struct memfd_seen *seen;
	struct stat st;
	int err;

	if (fstat(local, &st) < 0)
		return fail(-errno, "stat %s", link);
	err = seen_of(dump, local, &st, link, &seen);
	if (err)
		return err;
	file.inode_id = seen->inode_id;
	data = *dump_kind_data(dump, &memfd_kind);
	known = record_find(&data->paths, file.inode_id, flags);
	if (known) {
		*ret_id = known->file_id;
		return 0;
	}
	known = record_new(&dump->arena, &data->paths, file.inode_id, flags, sizeof(*known));
	if (!known)
		return fail(-ENOMEM, "memfd");
	known->file_id = dump_new_file_id(dump);
	entry.type = FD_TYPES__MEMFD;
	entry.id = file.id = known->file_id;
	entry.memfd = &file;
	file.flags = flags;
	file.fown = &fown;
	file.has_path = file.path = true;
	/* Mapped by what memfd_create(2) gave, unless it cannot have been. */
	if (writes(flags))
		ask_for_writers(dump, seen, local);
	file.has_reopened = file.reopened = writes(flags) && seen->has_writers && !seen->nr_writers;
	*ret_id = known->file_id;
	return dump_write_file_entry(dump, &entry);
}

/* ---- restore ---- */

struct memfd_inode {
	struct record record; /* 0, inode id */
	const MemfdInodeEntry *entry;
	bool used;
	/* Above service_base, inherited by all tasks, or the tool's own; set by in_namespaces. Not counted as a writer. */
	int fd;
	uint32_t first; /* the file that gets this very description, 0: none */
	int late_seals; /* to be set when all memory is mapped */
};

struct memfd {
	const MemfdFileEntry *entry;
	const struct memfd_inode *inode;
};

struct memfd_file {
	struct record record; /* 0, file id */
	struct memfd_inode *inode;
};

struct memfd_restore {
	bool loaded;
	pid_t holder; /* the tool, if nobody inherits them; else 0 */
	struct record_table inodes; /* struct memfd_inode */
	struct record_table files; /* struct memfd_file */
};

static uint64_t key_of(const MemfdInodeEntry *entry)
{
	return segment_key(entry->shmid, entry->backing == BACKING_SYSV);
}

/* Room memory makes it, and as large as this. */
static int want_segment(struct restore *r, const MemfdInodeEntry *entry)
{
	uint32_t huge = entry->hugetlb_flag & ~(uint32_t)MFD_HUGETLB;

	if (hash_put(&r->plan.segments_wanted, key_of(entry), entry->has_hugetlb_flag ? MAP_HUGETLB | huge : 0) ||
	    hash_put(&r->plan.segment_sizes, key_of(entry), entry->size))
		return fail(-ENOMEM, "shared memory");
	return 0;
}

static int inode_load(struct restore *r, struct memfd_restore *data, const MemfdInodeEntry *entry)
{
	const uint32_t huge_bits = MFD_HUGETLB | (uint32_t)MFD_HUGE_MASK << MFD_HUGE_SHIFT;
	struct memfd_inode *inode;

	if (strlen(entry->name) > MEMFD_NAME_MAX || entry->size > INT64_MAX || entry->seals & ~SEALS_KNOWN ||
	    entry->hugetlb_flag & ~huge_bits || entry->backing > BACKING_SYSV)
		return fail(-EBADMSG,
			    "memfd.img: inode %" PRIu64 " (%s, %" PRIu64 " bytes, seals %#x, flags %#x) cannot be",
			    entry->inode_id, entry->name, entry->size, entry->seals, entry->hugetlb_flag);
	if (record_find(&data->inodes, 0, entry->inode_id))
		return fail(-EBADMSG, "memfd.img: inode %" PRIu64 " is there twice", entry->inode_id);
	inode = record_new(&r->arena, &data->inodes, 0, entry->inode_id, sizeof(*inode));
	if (!inode)
		return fail(-ENOMEM, "memfd");
	inode->entry = entry;
	inode->fd = -1;
	if (entry->backing)
		return want_segment(r, entry);
	return entry->size ? shmem_check(r, entry->shmid) : 0;
}

static int inodes_load(struct restore *r, struct memfd_restore **ret_data)
{
	struct memfd_restore *data = kind_data_of(&r->arena, restore_kind_data(r, &memfd_kind), sizeof(*data));
	ProtobufCMessage **entries;
	size_t n;
	int err;

	if (!data)
		return fail(-ENOMEM, "memfd");
	*ret_data = data;
	if (data->loaded)
		return 0;
	data->loaded = true;
	err = restore_read_records(r, IMAGE_MEMFD_INODE, 0, &memfd_inode_entry__descriptor, &entries, &n);
	for (size_t i = 0; !err && i < n; i++)
		err = inode_load(r, data, (const MemfdInodeEntry *)entries[i]);
	return err;
}

static int memfd_load(struct restore *r, struct file *file, void *state)
{
	const MemfdFileEntry *entry = file->entry->memfd;
	struct memfd_restore *data = NULL;
	struct memfd_inode *inode;
	struct memfd_file *known;
	struct memfd *st = state;
	int err = inodes_load(r, &data);

	if (err)
		return err;
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a memfd without an entry of its own", file->id);
	inode = record_find(&data->inodes, 0, entry->inode_id);
	if (!inode)
		return fail(-EBADMSG, "files.img: file %u: there is no inode %u in memfd.img", file->id,
			    entry->inode_id);
	known = record_new(&r->arena, &data->files, 0, file->id, sizeof(*known));
	if (!known)
		return fail(-ENOMEM, "memfd");
	known->inode = inode;
	inode->used = true;
	if (!inode->first && !inode->entry->backing && !entry->path && !entry->reopened && may_be_first(entry->flags))
		inode->first = file->id;
	st->entry = entry;
	st->inode = inode;
	return 0;
}

/* F_SEAL_EXEC comes with the making where the inode has no x bits; where it has them, it can only be added. */
static int make_inode(const MemfdInodeEntry *entry)
{
	unsigned flags = MFD_CLOEXEC | entry->hugetlb_flag;
	bool noexec = entry->seals & F_SEAL_EXEC && entry->has_mode && !(entry->mode & 0111);
	int fd;

	/* Without this flag an inode has F_SEAL_SEAL and nothing else. */
	if (entry->seals != F_SEAL_SEAL)
		flags |= MFD_ALLOW_SEALING;
	fd = memfd_create(entry->name, flags | (noexec ? MFD_NOEXEC_SEAL : MFD_EXEC));
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(entry->name, flags);
	return fd < 0 ? -errno : fd;
}

static int add_seals(const struct memfd_inode *inode, int seals)
{
	int now = fcntl(inode->fd, F_GET_SEALS);

	if (now < 0)
		return fail(-errno, "memfd %s: its seals", inode->entry->name);
	if ((now & seals) == seals)
		return 0;
	if (fcntl(inode->fd, F_ADD_SEALS, seals & ~now) < 0)
		return fail(-errno, "memfd %s: add seals %#x", inode->entry->name, seals & ~now);
	return 0;
}

static int fill_inode(struct restore *r, const struct memfd_inode *inode)
{
	const MemfdInodeEntry *entry = inode->entry;
	int err;

	if ((entry->uid || entry->gid || geteuid()) && fchown(inode->fd, entry->uid, entry->gid) < 0)
		return fail(-errno, "memfd %s: give it to %u:%u", entry->name, entry->uid, entry->gid);
	if (entry->has_mode && fchmod(inode->fd, entry->mode & 07777) < 0)
		return fail(-errno, "memfd %s: set its mode", entry->name);
	if (ftruncate(inode->fd, entry->size) < 0)
		return fail(-errno, "memfd %s: set its size to %" PRIu64 " bytes", entry->name, entry->size);
	err = entry->size ? shmem_fill(r, entry->shmid, inode->fd) : 0;
	/* Whole pages were written. */
	if (!err && entry->size % PAGE_SZ && ftruncate(inode->fd, entry->size) < 0)
		return fail(-errno, "memfd %s: set its size to %" PRIu64 " bytes", entry->name, entry->size);
	return err;
}

static void mark_late_seals(struct memfd_restore *data, const VmaEntry *vma)
{
	struct memfd_file *file;

	if (!(vma->status & VMA_STATUS_MAPS_FILE) || !(vma->flags & MAP_SHARED) || !(vma->prot & PROT_WRITE))
		return;
	file = record_find(&data->files, 0, vma->shmid);
	/*
	 * F_SEAL_WRITE cannot be set while a writable shared mapping exists, so none did: early is right, and read-only
	 * mappings want it to be there. F_SEAL_FUTURE_WRITE leaves alone what is mapped, but forbids mapping it again.
	 */
	if (file && file->inode->entry->seals & F_SEAL_FUTURE_WRITE && !(file->inode->entry->seals & F_SEAL_WRITE))
		file->inode->late_seals = file->inode->entry->seals & (F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

/* It stands, filled; of a SysV segment owner and mode, too. */
static int take_segment(struct restore *r, struct memfd_inode *inode)
{
	const MemfdInodeEntry *entry = inode->entry;
	uint64_t fd;

	if (!hash_get(&r->segment_fds, key_of(entry), &fd))
		return fail(-EBADMSG, "memfd.img: %s: there is no shared memory %u", entry->name, entry->shmid);
	inode->fd = (int)fd;
	if (entry->backing == BACKING_SYSV)
		return 0;
	if ((entry->uid || entry->gid || geteuid()) && fchown(inode->fd, entry->uid, entry->gid) < 0)
		return fail(-errno, "shared memory %u: give it to %u:%u", entry->shmid, entry->uid, entry->gid);
	if (entry->has_mode && fchmod(inode->fd, entry->mode & 07777) < 0)
		return fail(-errno, "shared memory %u: set its mode", entry->shmid);
	return add_seals(inode, (int)entry->seals);
}

/* Tasks with about as many descriptors as the limit allows have no room for all of ours. */
static bool tasks_have_room(struct restore *r, const struct memfd_restore *data)
{
	struct rlimit lim;

	return !getrlimit(RLIMIT_NOFILE, &lim) &&
	       (uint64_t)r->service_base + data->inodes.n + RESTORE_OWN_FDS <= lim.rlim_cur;
}

static int memfd_in_namespaces(struct restore *r)
{
	struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);
	struct restore_task *rt;
	int err = 0;

	if (!data)
		return 0;
	data->holder = tasks_have_room(r, data) ? 0 : getpid();
	restore_for_each_task(rt, r)
		for (size_t i = 0; rt->mm && i < rt->mm->n_vmas; i++)
			mark_late_seals(data, rt->mm->vmas[i]);
	for (struct record *rec = data->inodes.first; rec && !err; rec = rec->next) {
		struct memfd_inode *inode = (struct memfd_inode *)rec;
		int fd;

		if (!inode->used)
			continue;
		if (inode->entry->backing) {
			err = take_segment(r, inode);
			continue;
		}
		fd = make_inode(inode->entry);
		/* Below, tasks close them before they open their own. */
		inode->fd = fd < 0 || data->holder ? fd : move_fd_above(fd, r->service_base);
		if (inode->fd < 0)
			return fail(inode->fd, "make memfd %s", inode->entry->name);
		err = fill_inode(r, inode);
		if (!err)
			err = add_seals(inode, inode->entry->seals & ~inode->late_seals);
	}
	return err;
}

/* Seals that forbid mappings which exist. */
static int memfd_ready(struct restore *r)
{
	struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);
	int err = 0;

	for (struct record *rec = data ? data->inodes.first : NULL; rec && !err; rec = rec->next) {
		const struct memfd_inode *inode = (const struct memfd_inode *)rec;

		if (inode->late_seals)
			err = add_seals(inode, inode->late_seals);
	}
	return err;
}

/* A mapping that is written to keeps what it was made of. */
static bool is_mapped_by_first(const struct memfd *st)
{
	return st->entry->path && !st->entry->reopened && !st->inode->entry->backing && may_be_first(st->entry->flags);
}

/* A descriptor of our own of what in_namespaces made. */
static int take_inode(struct restore *r, const struct memfd_inode *inode)
{
	const struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);
	_cleanup_close_ int pidfd = -1;

	if (!data->holder)
		return dup_fd_above(inode->fd, 0);
	pidfd = sys_pidfd_open(data->holder, 0);
	return pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, inode->fd);
}

static int memfd_open(struct restore *r, struct file *file, const void *state)
{
	const struct memfd *st = state;
	const MemfdFileEntry *entry = st->entry;
	unsigned flags = entry->flags;
	_cleanup_close_ int fd = -1, made = -1;
	bool first = st->inode->first == file->id;
	int err;

	made = take_inode(r, st->inode);
	fd = made < 0 || first || is_mapped_by_first(st) ? steal_fd(&made) : reopen_fd(made, flags);
	if (fd < 0)
		return fail(fd, "open memfd %s", st->inode->entry->name);
	if ((flags & O_PATH) || entry->path)
		return steal_fd(&fd);
	if ((entry->pos || first) && lseek(fd, entry->pos, SEEK_SET) < 0)
		return fail(-errno, "memfd %s: go to position %" PRIu64, st->inode->entry->name, entry->pos);
	err = set_status_flags(fd, flags, entry->fown);
	return err ? err : steal_fd(&fd);
}

const struct fd_kind memfd_kind = {
	.name = "memfd",
	.image_type = FD_TYPES__MEMFD,
	.for_untrusted = true,
	.state_size = sizeof(struct memfd),
	.claims = memfd_claims,
	.save = memfd_save,
	.load = memfd_load,
	.open = memfd_open,
};

const struct run_kind memfd_run = {
	.name = "memfd",
	.save_end = memfd_save_end,
	.in_namespaces = memfd_in_namespaces,
	.ready = memfd_ready,
};
