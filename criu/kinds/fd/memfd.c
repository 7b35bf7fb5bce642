// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd_create(2): an inode without a name, memfd.img, and any number of descriptions and mappings of it. The tool makes
 * every inode before it forks; tasks open it through /proc/self/fd.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "memfd.pb-c.h"
#include "memory/shmem.h"
#include "pie/vma.h"
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
#define MEMFD_NAME_MAX 249 /* memfd_create(2) */
#define VMA_STATUS_MAPS_FILE (1u << 7 | 1u << 14) /* shared file, memfd */

/* ---- dump ---- */

struct memfd_seen {
	struct record record; /* device, inode */
	uint32_t inode_id;
};

struct memfd_entry {
	struct record record; /* inode id, flags */
	uint32_t file_id;
};

struct memfd_dump {
	struct record_table inodes; /* struct memfd_seen */
	struct record_table paths; /* struct memfd_entry: those that stand for mappings */
	struct record_table shmids; /* 0, shmid: taken */
};

bool memfd_is_link(const char *link)
{
	/* Shared anonymous memory, as its maps entry calls it: images describe it as a memfd, too. */
	return (str_has_prefix(link, MEMFD_PREFIX) && str_has_suffix(link, DELETED)) ||
	       !strcmp(link, "/dev/zero" DELETED) || !strcmp(link, "/anon_hugepage" DELETED);
}

static bool memfd_claims(const struct fd_probe *probe)
{
	return S_ISREG(probe->st.st_mode) && !probe->st.st_nlink && probe->link && memfd_is_link(probe->link) &&
	       (probe->fs_magic == TMPFS_MAGIC || probe->fs_magic == HUGETLBFS_MAGIC);
}

static char *memfd_name(struct dump *dump, const char *link)
{
	char *name = dump_strdup(dump, str_has_prefix(link, MEMFD_PREFIX) ? link + strlen(MEMFD_PREFIX) : link);

	if (name)
		name[strlen(name) - strlen(DELETED)] = 0;
	return name;
}

/* Huge pages lie in a file system of their own, whose inode numbers may be the same as others'. */
static int new_shmid(struct dump *dump, struct memfd_dump *data, const struct stat *st, bool huge, uint32_t *ret_shmid)
{
	uint32_t shmid = (uint32_t)st->st_ino | SHMID_INODE | (huge ? SHMID_HUGETLB : 0);

	while (record_find(&data->shmids, 0, shmid))
		shmid++;
	if (!record_new(&dump->arena, &data->shmids, 0, shmid, sizeof(struct record)))
		return -ENOMEM;
	*ret_shmid = shmid;
	return 0;
}

static int save_inode(struct dump *dump, struct memfd_dump *data, int local, const struct stat *st, const char *link,
		      uint32_t inode_id)
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
	if (!entry.name || new_shmid(dump, data, st, entry.has_hugetlb_flag, &entry.shmid))
		return fail(-ENOMEM, "memfd");
	entry.uid = st->st_uid;
	entry.gid = st->st_gid;
	entry.size = st->st_size;
	entry.seals = seals;
	entry.inode_id = inode_id;
	entry.has_mode = true;
	entry.mode = st->st_mode;
	err = dump_shared_image(dump, IMAGE_MEMFD_INODE, &img);
	if (err)
		return err;
	err = image_write_record(img, &entry.base);
	if (err)
		return fail(err, "%s", image_dir_error(dump->dir));
	return shmem_save(dump, local, entry.size, entry.shmid);
}

static int inode_id_of(struct dump *dump, int local, const struct stat *st, const char *link, uint32_t *ret_id)
{
	struct memfd_dump *data = kind_data_of(&dump->arena, &dump->kind_data[FD_TYPES__MEMFD], sizeof(*data));
	struct memfd_seen *seen = data ? record_find(&data->inodes, st->st_dev, st->st_ino) : NULL;
	int err = 0;

	if (!data)
		return fail(-ENOMEM, "memfd");
	if (!seen) {
		seen = record_new(&dump->arena, &data->inodes, st->st_dev, st->st_ino, sizeof(*seen));
		if (!seen)
			return fail(-ENOMEM, "memfd");
		seen->inode_id = data->inodes.n;
		err = save_inode(dump, data, local, st, link, seen->inode_id);
	}
	*ret_id = seen->inode_id;
	return err;
}

static int memfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	MemfdFileEntry *file = dump_alloc(dump, sizeof(*file));
	int err;

	if (!file)
		return fail(-ENOMEM, "memfd");
	memfd_file_entry__init(file);
	file->id = entry->id;
	file->flags = probe->flags;
	file->pos = probe->pos;
	entry->memfd = file;
	err = dump_fown(dump, probe, &file->fown);
	return err ? err : inode_id_of(dump, probe->local, &probe->st, probe->link, &file->inode_id);
}

int memfd_path_id(struct dump *dump, struct dump_task *task, int local, const char *link, unsigned flags,
		  uint32_t *ret_id)
{
	FileEntry entry = FILE_ENTRY__INIT;
	MemfdFileEntry file = MEMFD_FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	struct memfd_dump *data;
	struct memfd_entry *known;
	struct stat st;
	int err;

	if (fstat(local, &st) < 0)
		return fail(-errno, "stat %s", link);
	err = inode_id_of(dump, local, &st, link, &file.inode_id);
	if (err)
		return err;
	data = dump->kind_data[FD_TYPES__MEMFD];
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
	*ret_id = known->file_id;
	return dump_write_file_entry(dump, &entry);
}

/* ---- restore ---- */

struct memfd_inode {
	struct record record; /* 0, inode id */
	const MemfdInodeEntry *entry;
	bool used;
	int fd; /* above service_base, inherited by all tasks; set by before_fork */
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
	struct record_table inodes; /* struct memfd_inode */
	struct record_table files; /* struct memfd_file */
};

static int inode_load(struct restore *r, struct memfd_restore *data, const MemfdInodeEntry *entry)
{
	const uint32_t huge_bits = MFD_HUGETLB | (uint32_t)MFD_HUGE_MASK << MFD_HUGE_SHIFT;
	struct memfd_inode *inode;

	if (strlen(entry->name) > MEMFD_NAME_MAX || entry->size > INT64_MAX || entry->seals & ~SEALS_KNOWN ||
	    entry->hugetlb_flag & ~huge_bits)
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
	return 0;
}

static int inodes_load(struct restore *r, struct memfd_restore **ret_data)
{
	struct memfd_restore *data = kind_data_of(&r->arena, &r->kind_data[FD_TYPES__MEMFD], sizeof(*data));
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

static int memfd_before_fork(struct restore *r)
{
	struct memfd_restore *data = r->kind_data[FD_TYPES__MEMFD];
	struct restore_task *rt;
	int err = 0;

	if (!data)
		return 0;
	restore_for_each_task(rt, r)
		for (size_t i = 0; rt->mm && i < rt->mm->n_vmas; i++)
			mark_late_seals(data, rt->mm->vmas[i]);
	for (struct record *rec = data->inodes.first; rec && !err; rec = rec->next) {
		struct memfd_inode *inode = (struct memfd_inode *)rec;
		int fd;

		if (!inode->used)
			continue;
		fd = make_inode(inode->entry);
		inode->fd = fd < 0 ? fd : move_fd_above(fd, r->service_base);
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
	struct memfd_restore *data = r->kind_data[FD_TYPES__MEMFD];
	int err = 0;

	for (struct record *rec = data ? data->inodes.first : NULL; rec && !err; rec = rec->next) {
		const struct memfd_inode *inode = (const struct memfd_inode *)rec;

		if (inode->late_seals)
			err = add_seals(inode, inode->late_seals);
	}
	return err;
}

static int memfd_open(struct restore *r, struct file *file, const void *state)
{
	const struct memfd *st = state;
	const MemfdFileEntry *entry = st->entry;
	unsigned flags = entry->flags;
	_cleanup_close_ int fd = -1;
	int err;

	fd = reopen_fd(st->inode->fd, flags);
	if (fd < 0)
		return fail(fd, "open memfd %s", st->inode->entry->name);
	if (flags & O_PATH)
		return steal_fd(&fd);
	if (entry->pos && lseek(fd, entry->pos, SEEK_SET) < 0)
		return fail(-errno, "memfd %s: go to position %" PRIu64, st->inode->entry->name, entry->pos);
	err = set_status_flags(fd, flags, entry->fown);
	return err ? err : steal_fd(&fd);
}

const struct fd_kind memfd_kind = {
	.name = "memfd",
	.image_type = FD_TYPES__MEMFD,
	.state_size = sizeof(struct memfd),
	.claims = memfd_claims,
	.save = memfd_save,
	.load = memfd_load,
	.open = memfd_open,
	.before_fork = memfd_before_fork,
	.ready = memfd_ready,
};
