// SPDX-License-Identifier: GPL-2.0-only
/* mkfifo(3): a pipe found by path. Flags, position and owner of an open file are in its entry for the path. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kinds/fd/pipe_data.h"
#include "kinds/kinds.h"
#include "regfile.pb-c.h"
#include "run/describe.h"
#include "run/opener.h"
#include "util/fds.h"

/* ---- dump ---- */

struct fifo_seen {
	struct record record; /* device, inode */
	uint32_t pipe_id;
};

struct fifo_dump {
	struct record_table seen; /* struct fifo_seen */
	struct record_table ids; /* 0, pipe id: in use */
};

static bool fifo_claims(const struct fd_probe *probe)
{
	return S_ISFIFO(probe->st.st_mode) && probe->link && probe->link[0] == '/' && !(probe->flags & O_PATH);
}

/* The inode number, unless a FIFO on another file system already uses it. */
static int new_pipe_id(struct dump *dump, struct fifo_dump *data, const struct fd_probe *probe, uint32_t *ret_id)
{
	uint32_t id = probe->st.st_ino;

	while (record_find(&data->ids, 0, id))
		id++;
	if (!record_new(&dump->arena, &data->ids, 0, id, sizeof(struct record)))
		return -ENOMEM;
	*ret_id = id;
	return 0;
}

static int fifo_record(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_pipe_id)
{
	struct fifo_dump *data = kind_data_of(&dump->arena, dump_kind_data(dump, &fifo_kind), sizeof(*data));
	struct fifo_seen *seen = data ? record_find(&data->seen, probe->st.st_dev, probe->st.st_ino) : NULL;
	int err = 0;

	if (!data)
		return fail(-ENOMEM, "FIFO");
	if (!seen) {
		seen = record_new(&dump->arena, &data->seen, probe->st.st_dev, probe->st.st_ino, sizeof(*seen));
		if (!seen || new_pipe_id(dump, data, probe, &seen->pipe_id))
			return fail(-ENOMEM, "FIFO");
		err = pipe_data_save(dump, IMAGE_FIFO_DATA, seen->pipe_id, probe->local);
	}
	*ret_pipe_id = seen->pipe_id;
	return err;
}

/*
 * No writer, but no POLLHUP either: there has been none since this reader was opened. That there is none now follows
 * from tee(2), which returns 0 (EOF) instead of EAGAIN.
 */
static int has_seen_no_writer(const struct fd_probe *probe, bool *ret_quiet)
{
	struct pollfd p = { .fd = probe->local, .events = POLLIN };
	int ends[2];

	if ((probe->flags & O_ACCMODE) != O_RDONLY || poll(&p, 1, 0) != 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "create a pipe");
	*ret_quiet = !tee(probe->local, ends[1], 1, SPLICE_F_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int fifo_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	FifoEntry *fifo = dump_alloc(dump, sizeof(*fifo));
	bool quiet = false;
	int err;

	if (!fifo)
		return fail(-ENOMEM, "FIFO");
	fifo_entry__init(fifo);
	fifo->id = entry->id;
	err = fifo_record(dump, probe, &fifo->pipe_id);
	if (!err)
		err = regular_save_path(dump, probe, &fifo->regf_id);
	fifo->has_regf_id = true;
	if (!err)
		err = has_seen_no_writer(probe, &quiet);
	if (quiet)
		fifo->has_no_writer_yet = fifo->no_writer_yet = true;
	entry->fifo = fifo;
	return err;
}

/* ---- restore ---- */

struct fifo {
	struct pipe_end end;
	struct pipe_group *group;
	struct file *path;
};

static int fifo_load(struct restore *r, struct file *file, void *state)
{
	const FifoEntry *entry = file->entry->fifo;
	struct pipe_restore *data = NULL;
	struct fifo *st = state;
	int err = pipe_restore_data(r, &fifo_kind, IMAGE_FIFO_DATA, &data);

	if (err)
		return err;
	if (!entry || entry->id != file->id || !entry->has_regf_id)
		return fail(-EBADMSG, "files.img: file %u is a FIFO without a record or without a path", file->id);
	st->end.file = file;
	st->end.quiet = entry->no_writer_yet;
	return pipe_group_add(r, data, entry->pipe_id, &st->end, &st->group);
}

static int fifo_link(struct restore *r, struct file *file, void *state)
{
	struct fifo *st = state;
	const RegFileEntry *reg;

	st->path = restore_file(r, file->entry->fifo->regf_id, "a FIFO of files.img");
	if (!st->path)
		return -EBADMSG;
	reg = st->path->kind == &regular_kind ? st->path->entry->reg : NULL;
	if (!reg || (reg->has_mode && !S_ISFIFO(reg->mode)) || (reg->flags & O_ACCMODE) == O_ACCMODE)
		return fail(-EBADMSG, "files.img: file %u cannot be the path of FIFO %u", st->path->id, file->id);
	st->end.flags = reg->flags;
	st->end.fown = reg->fown;
	pipe_group_link(st->group, file);
	return 0;
}

/* Size and content, unless a process outside the tree has kept the FIFO open, and thereby its content. */
static int put_content(const struct pipe_group *group, int hold)
{
	int bytes;

	if (ioctl(hold, FIONREAD, &bytes) < 0)
		return fail(-errno, "content of a FIFO");
	return bytes ? 0 : pipe_data_put(group->data, hold);
}

/* One process opens all ends, for all their owners: each with its own entry for the path (regular_open). */
static int check_end(struct restore *r, const struct pipe_end *end, int path)
{
	const struct fifo *st = end->file->state;
	const struct audience *to = audience_of_file(r, end->file);
	_cleanup_close_ int own = -1;
	struct stat a, b;

	if (!to)
		return 0;
	own = restore_call_open(r, st->path, to);
	opener_leave(r);
	if (own < 0)
		return own;
	if (fstat(own, &a) < 0 || fstat(path, &b) < 0)
		return fail(-errno, "fstat a FIFO");
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino ?
		       0 :
		       fail(-EACCES, "the ends of the FIFO %s now refer to two files", st->path->entry->reg->name);
}

static int open_ends(struct restore *r, const struct pipe_group *group, int path, bool quiet, int *ret_fd)
{
	int err = 0;

	for (const struct pipe_end *end = group->ends; end && !err; end = end->next) {
		int fd;

		if (end->quiet != quiet)
			continue;
		err = check_end(r, end, path);
		if (err)
			break;
		fd = reopen_fd(path, end->flags | O_NONBLOCK);
		err = fd < 0 ? fail(fd, "open a FIFO") : pipe_end_provide(r, group, end, fd, ret_fd);
	}
	return err;
}

static int fifo_open(struct restore *r, struct file *file, const void *state)
{
	const struct fifo *st = state;
	/* The regular kind opens the path of a FIFO with O_PATH. */
	_cleanup_close_ int path = restore_open_file(r, st->path), hold = -1, fd = -1;
	int err;

	if (path < 0)
		return path;
	/* Reader and writer at once: until all ends are open, no open blocks and nothing written is lost. */
	hold = reopen_fd(path, O_RDWR | O_NONBLOCK);
	if (hold < 0)
		return fail(hold, "open a FIFO");
	err = put_content(st->group, hold);
	if (!err)
		err = open_ends(r, st->group, path, false, &fd);
	/* A reader without a writer that must not see one: opened after our writer is closed. */
	close(steal_fd(&hold));
	if (!err)
		err = open_ends(r, st->group, path, true, &fd);
	return err ? err : steal_fd(&fd);
}

static int fifo_check(struct restore *r, struct file *file, const void *state)
{
	const struct fifo *st = state;

	return st->path && st->path->loaded ? st->path->kind->check(r, st->path, st->path->state) : 0;
}

static void fifo_describe(const FileEntry *entry, struct description *d)
{
	const FifoEntry *fifo = entry->fifo;
	const FileEntry *file =
		fifo && fifo->has_regf_id ? d->finder->find(d->finder, IMAGE_FILES, fifo->regf_id) : NULL;

	if (!fifo)
		return;
	d->path = file && file->reg ? file->reg->name : NULL;
	describe_flow(d, "fifo", fifo->pipe_id, file && file->reg ? file->reg->flags : O_RDWR);
	describe_add(d, "FIFO %s", d->path ? d->path : "");
}

const struct fd_kind fifo_kind = {
	.name = "fifo",
	.image_type = FD_TYPES__FIFO,
	.for_untrusted = true,
	.state_size = sizeof(struct fifo),
	.claims = fifo_claims,
	.save = fifo_save,
	.load = fifo_load,
	.link = fifo_link,
	.open = fifo_open,
	.check = fifo_check,
	.describe = fifo_describe,
};
