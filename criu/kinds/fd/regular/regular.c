// SPDX-License-Identifier: GPL-2.0-only
/* Everything that has a path: files, directories, symbolic links opened with O_PATH, stateless devices. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/internal.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "run/external.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/str.h"

#define MQUEUE_MAGIC 0x19800202
#define DMA_BUF_MAGIC_ 0x444d4142
#define SECRETMEM_MAGIC_ 0x5345434d

static bool regular_claims(const struct fd_probe *probe)
{
	if (!probe->link || (probe->link[0] != '/' && !str_has_prefix(probe->link, "(unreachable)/")))
		return false;
	if (probe->flags & O_PATH)
		return true;
	if (probe->fs_magic == MQUEUE_MAGIC || probe->fs_magic == DMA_BUF_MAGIC_ || probe->fs_magic == SECRETMEM_MAGIC_)
		return false;
	return S_ISREG(probe->st.st_mode) || S_ISDIR(probe->st.st_mode) || S_ISCHR(probe->st.st_mode) ||
	       S_ISBLK(probe->st.st_mode);
}

static void refuse_device(struct dump *dump, const struct subject *s)
{
	char name[64];

	regular_external_name(s->local, &s->st, name, sizeof(name));
	dump_blocker(dump, s->task, s->fd,
		     "device %s (%u:%u) %s, or use --external '%s' now and --inherit-fd 'fd[N]:%s' at restore", s->link,
		     major(s->st.st_rdev), minor(s->st.st_rdev), device_reason(s->link), name, name);
}

static int fill_entry(struct dump *dump, const struct subject *s, uint32_t id, FownEntry *fown, RegFileEntry **ret_reg)
{
	RegFileEntry *reg = dump_alloc(dump, sizeof(*reg));
	const struct mount_info *bound;
	const char *name;
	struct stat node;
	int err = 0, detached = 0;

	if (!reg)
		return fail(-ENOMEM, "file entry");
	reg_file_entry__init(reg);
	reg->id = id;
	reg->flags = s->flags;
	reg->pos = s->pos;
	reg->fown = fown;
	*ret_reg = reg;
	if (regular_refuse_covered(dump, s, reg))
		return 0;
	bound = regular_bound_by(dump, s);
	name = bound ? bound->mountpoint : NULL;
	reg->mnt_id = dump_mount_of(dump, bound ? bound->mnt_id : s->mnt_id);
	reg->has_mnt_id = true;
	if (S_ISCHR(s->st.st_mode) && !(s->flags & O_PATH) && !device_is_stateless(s->st.st_rdev))
		refuse_device(dump, s);
	if (!bound)
		detached = regular_detached(dump, s, reg);
	if (detached < 0)
		return detached;
	if (detached)
		name = reg->name;
	else if (!bound)
		err = regular_name(dump, s, id, &name);
	if (!err)
		err = regular_note_content(dump, s, reg);
	if (err)
		return err;
	if (detached) {
		regular_note_identity(dump, s, reg);
		return 0;
	}
	regular_check_certain(dump, s, name);
	/* --evasive-devices: another node of the same device has its own permissions. */
	if (dump->opts->evasive_devices && s->st.st_rdev &&
	    !path_stat(&dump->roots, PATH_ROOT_MOUNT, name, true, &node) && node.st_rdev == s->st.st_rdev)
		reg->mode = node.st_mode;
	else
		regular_note_identity(dump, s, reg);
	reg->name = (char *)name;
	return tmpfs_file_save(dump, s, reg);
}

static struct subject subject_of(const struct fd_probe *probe)
{
	return (struct subject){ .task = probe->task,
				 .fd = probe->fd,
				 .local = probe->local,
				 .link = probe->link,
				 .mnt_id = probe->mnt_id,
				 .st = probe->st,
				 .birth = probe->birth,
				 .pos = probe->pos,
				 .flags = probe->flags };
}

/* --external: it is passed in at restore; @id is its id in the images. */
static int save_external(struct dump *dump, const struct fd_probe *probe, uint32_t id, const char *name,
			 RegFileEntry **ret_reg)
{
	RegFileEntry *reg = dump_alloc(dump, sizeof(*reg));
	char *copy = dump_strdup(dump, name);

	if (!reg || !copy)
		return fail(-ENOMEM, "file entry");
	reg_file_entry__init(reg);
	reg->id = id;
	reg->flags = probe->flags;
	reg->pos = probe->pos;
	reg->name = copy;
	reg->has_ext = reg->ext = true;
	reg->has_mode = true;
	reg->mode = probe->st.st_mode;
	*ret_reg = reg;
	return dump_fown(dump, probe, &reg->fown);
}

static int regular_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	struct subject s = subject_of(probe);
	FownEntry *fown;
	char name[64];
	int err;

	regular_external_name(probe->local, &probe->st, name, sizeof(name));
	if (external_is_given(dump->opts, name))
		return save_external(dump, probe, entry->id, name, &entry->reg);
	err = dump_fown(dump, probe, &fown);
	/* Only dnotify sets an owner on a directory, and the kernel does not reveal which events are watched. */
	if (!err && S_ISDIR(probe->st.st_mode) && fown->pid)
		dump_blocker(dump, probe->task, probe->fd,
			     "%s is or was watched with F_NOTIFY (dnotify), which is not supported; use inotify(7)",
			     probe->link);
	return err ? err : fill_entry(dump, &s, entry->id, fown, &entry->reg);
}

static int write_path(struct dump *dump, const struct subject *s, FownEntry *fown, uint32_t *ret_id)
{
	FileEntry entry = FILE_ENTRY__INIT;
	int err;

	entry.type = FD_TYPES__REG;
	entry.id = dump_new_file_id(dump);
	err = fill_entry(dump, s, entry.id, fown, &entry.reg);
	if (!err)
		err = dump_write_file_entry(dump, &entry);
	if (err)
		return err;
	*ret_id = entry.id;
	return 0;
}

int regular_save_path(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_id)
{
	struct subject s = subject_of(probe);
	FownEntry *fown;
	int err = dump_fown(dump, probe, &fown);

	return err ? err : write_path(dump, &s, fown, ret_id);
}

/* ---- paths without a descriptor ---- */

struct path_entry {
	struct record record; /* hash of inode, mount and flags; hash of the path */
	const char *link;
	uint32_t id;
};

static int regular_path_id(struct dump *dump, const struct dump_path *path, uint32_t *ret_id)
{
	struct subject s = {
		.task = path->task, .fd = -1, .local = path->local, .link = path->link, .flags = path->flags
	};
	struct regular_dump *data = regular_dump_data(dump);
	FownEntry fown = FOWN_ENTRY__INIT;
	struct path_entry *known;
	struct file_facts facts;
	uint64_t key;
	int err;

	if (memfd_is(path->local, path->link))
		return memfd_path_id(dump, path, ret_id);
	if (!data)
		return fail(-ENOMEM, "path %s", path->link);
	err = proc_file_facts(path->local, &facts);
	if (err)
		return fail(err, "stat %s", path->link);
	s.st = facts.st;
	s.birth = facts.birth;
	s.mnt_id = facts.mnt_id; /* or PATH_ROOT_MOUNT */
	key = hash_mix(hash_mix(hash_mix(s.st.st_dev) ^ s.st.st_ino) ^ (uint32_t)s.mnt_id) ^ path->flags;
	known = record_find(&data->paths, key, hash_str(path->link));
	if (known && !strcmp(known->link, path->link)) {
		*ret_id = known->id;
		return 0;
	}
	err = write_path(dump, &s, &fown, ret_id);
	if (err)
		return err;
	known = record_new(&dump->arena, &data->paths, key, hash_str(path->link), sizeof(*known));
	if (!known || !(known->link = dump_strdup(dump, path->link)))
		return fail(-ENOMEM, "path %s", path->link);
	known->id = *ret_id;
	return 0;
}

/* ---- restore ---- */

static int regular_load(struct restore *r, struct file *file, void *state)
{
	struct regular *st = state;
	struct regular_restore *data;
	const struct inherit_fd *given;
	const RegFileEntry *reg = file->entry->reg;
	int err = remaps_load(r, &data);

	if (err)
		return err;
	if (!reg || reg->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a regular file, but has no entry for it", file->id);
	st->reg = reg;
	given = external_inherited(r->opts, reg->name);
	if (given) {
		struct inherited *in = record_new(&r->arena, &data->inherited, 0, file->id, sizeof(*in));

		if (!in)
			return fail(-ENOMEM, "file %u", file->id);
		in->given = given;
		in->fd = -1;
		st->inherited = in;
		return 0;
	}
	if (reg->has_ext && reg->ext)
		return fail(-ENOENT, "file %u (%s) is external; pass it with --inherit-fd 'fd[N]:%s'", file->id,
			    reg->name, reg->name);
	if (reg->name[0] != '/' || strlen(reg->name) >= PATH_MAX)
		return fail(-EBADMSG, "files.img: file %u: %s is not an absolute path", file->id, reg->name);
	st->remap = record_find(&data->remaps, 0, file->id);
	if (reg->detached)
		return detached_load(r, data, file);
	return tmpfs_file_load(r, data, file);
}

/*
 * Whether the name has the form that a dump creates and a restore removes: in the directory of the file, or above it.
 */
static bool is_link_remap(const char *path, const char *of)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t dir = name - path, digits;

	if (path[0] != '/' || !str_has_prefix(name, LINK_REMAP) || strncmp(path, of, dir) || strstr(path, "/../"))
		return false;
	name += strlen(LINK_REMAP);
	digits = strspn(name, "0123456789");
	return digits && !name[digits];
}

static int regular_link(struct restore *r, struct file *file, void *state)
{
	struct regular *st = state;
	struct remap *remap = (struct remap *)st->remap;
	struct file *to;

	if (!remap)
		return 0;
	remap->reg = st->reg;
	remap->file = file;
	if (remap->of_gone_task)
		return proc_gone_link(remap);
	if (remap->ghost)
		return 0;
	to = restore_file(r, remap->entry->remap_id, "remap-fpath.img");
	if (!to)
		return -EBADMSG;
	if (to->kind != file->kind || to == file ||
	    record_find(&((struct regular_restore *)*restore_kind_data(r, &regular_kind))->remaps, 0, to->id))
		return fail(-EBADMSG, "remap-fpath.img: file %u cannot be another name of file %u", to->id, file->id);
	remap->to = to->entry->reg;
	if (!is_link_remap(remap->to->name, st->reg->name))
		return fail(-EBADMSG,
			    "remap-fpath.img: %s is not a name that --link-remap gives to %s (link_remap.N, in its "
			    "directory)",
			    remap->to->name, st->reg->name);
	return 0;
}

/* By its name, if it still leads to the file that was saved. */
static int open_named(struct restore *r, const RegFileEntry *reg, unsigned flags, int may)
{
	struct name_was was = names_was(reg);
	_cleanup_close_ int fd = -1;
	int err;

	/* If the path leads to a FIFO by now, do not block; set_status_flags restores the flag. */
	if (!(flags & O_PATH) && !S_ISCHR(reg->mode) && !S_ISBLK(reg->mode))
		flags |= O_NONBLOCK;
	if (S_ISLNK(reg->mode))
		flags |= O_NOFOLLOW;
	fd = names_open(r, opened_for(r), &(struct name_wanted){ reg->name, flags, &was, PATH_ROOT_MOUNT }, may);
	if (fd < 0)
		return fd;
	err = regular_check_content(r, reg, fd);
	return err ? err : steal_fd(&fd);
}

/*
 * A file that we created ourselves belongs to them; another name needs permission to open it, unless it is certain that
 * it is the file.
 */
static int open_remap(struct restore *r, const struct remap *remap, unsigned flags, int may)
{
	const struct audience *to = remap->ghost || remap->proven ? NULL : opened_for(r);
	int err = may ? names_may(r, to, remap->fd, may) : 0;

	opener_leave(r);
	if (remap->is_description)
		return dup_fd_above(remap->fd, 0);
	for (size_t i = 0; to && !err && i < to->n; i++) {
		_cleanup_close_ int fd = -1;

		err = opener_enter(r, to->openers[i]);
		fd = err ? -1 : reopen_fd(remap->fd, flags);
		if (!err && (fd < 0 || i == to->n - 1))
			return steal_fd(&fd);
	}
	return err ? err : reopen_fd(remap->fd, flags);
}

static int fail_remap(const struct restore *r, const struct remap *remap, int err)
{
	const struct audience *to = opened_for(r);

	if (!to || !remap->to || remap->proven || (err != -EACCES && err != -EPERM))
		return fail(err, "open %s again", remap->reg->name);
	return fail(err,
		    "open %s again: user %u has no permission to open %s, and it may not be the file that was saved "
		    "under that name",
		    remap->reg->name, to->openers[0]->fsuid, remap->to->name);
}

/* The file that is the root of a mount. */
static int open_detached(struct restore *r, const RegFileEntry *reg, unsigned flags, int may)
{
	const struct remap root = { .reg = reg, .fd = detached_root(r, reg) };
	_cleanup_close_ int fd = open_remap(r, &root, flags, may);
	int err;

	if (fd < 0)
		return fail_remap(r, &root, fd);
	err = regular_check_content(r, reg, fd);
	return err ? err : steal_fd(&fd);
}

static int regular_open(struct restore *r, struct file *file, const void *state)
{
	const struct regular *st = state;
	const RegFileEntry *reg = st->reg;
	unsigned flags = reg->flags;
	_cleanup_close_ int fd = -1;
	int may = 0;

	/* The path of a FIFO: the FIFO's own kind opens it. */
	if (reg->has_mode && S_ISFIFO(reg->mode)) {
		may = regular_access_of(flags);
		flags = O_PATH;
	}
	/* O_TMPFILE includes O_DIRECTORY. */
	if (reg->has_mode && !S_ISDIR(reg->mode))
		flags &= ~(unsigned)O_DIRECTORY;
	/* The very descriptor, with its position and flags: it may not be a file any more. */
	if (st->inherited) {
		fd = dup_fd_above(st->inherited->fd, 0);
		return fd < 0 ? fail(fd, "--inherit-fd %s", reg->name) : steal_fd(&fd);
	}
	if (reg->detached)
		return detached_open(r, reg);
	if (st->remap) {
		fd = open_remap(r, st->remap, flags, may);
		if (fd < 0)
			return fail_remap(r, st->remap, fd);
	} else {
		fd = detached_is_file(r, reg) ? open_detached(r, reg, flags, may) : open_named(r, reg, flags, may);
		if (fd < 0)
			return fd;
	}
	if (flags & O_PATH)
		return steal_fd(&fd);
	/* For a task that is gone it has been set already, and cannot be set any more. */
	if (reg->pos && !(st->remap && st->remap->of_gone_task) && lseek(fd, reg->pos, SEEK_SET) < 0)
		return fail(-errno, "%s: go to position %llu", reg->name, (unsigned long long)reg->pos);
	int err = set_status_flags(r, fd, flags, reg->fown);
	return err ? err : steal_fd(&fd);
}

static int regular_in_namespaces(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);
	int err;

	if (!data)
		return 0;
	for (struct record *rec = data->inherited.first; rec; rec = rec->next) {
		struct inherited *in = (struct inherited *)rec;

		in->fd = dup_fd_above(in->given->fd, r->service_base);
		if (in->fd < 0)
			return fail(in->fd, "--inherit-fd fd[%d]:%s", in->given->fd, in->given->key);
	}
	err = proc_gone_make(r, data);
	if (!err)
		err = tmpfs_files_make(r, data);
	return err ? err : remaps_make(r, data);
}

static void regular_saved(struct dump *dump)
{
	regular_links_saved(dump);
	tmpfs_files_saved(dump);
}

static void regular_committed(struct restore *r)
{
	remaps_committed(r);
	tmpfs_files_committed(r);
}

static void regular_failed(struct restore *r)
{
	proc_gone_failed(r);
	tmpfs_files_failed(r);
}

static void regular_describe(const FileEntry *entry, struct description *d)
{
	if (!entry->reg)
		return;
	d->path = entry->reg->name;
	describe_add(d, "file %s", d->path);
}

const struct fd_kind regular_kind = {
	.name = "regular",
	.image_type = FD_TYPES__REG,
	.for_untrusted = true,
	.state_size = sizeof(struct regular),
	.claims = regular_claims,
	.by_name = true,
	.save = regular_save,
	.save_path = regular_path_id,
	.load = regular_load,
	.link = regular_link,
	.open = regular_open,
	.check = regular_check,
	.describe = regular_describe,
};

const struct run_kind regular_run = {
	.name = "regular",
	.saved = regular_saved,
	.save_undo = regular_save_undo,
	.in_namespaces = regular_in_namespaces,
	.ready = proc_gone_ready,
	.failed = regular_failed,
	.committed = regular_committed,
};

static void detached_failed(struct restore *r)
{
	detached_close(r);
}

const struct run_kind detached_run = {
	.name = "detached mounts",
	.save_end = regular_detached_end,
	.link = detached_link,
	.prepare = detached_prepare,
	.at_birth = detached_make,
	.ready = detached_close,
	.failed_outside = detached_failed,
};
