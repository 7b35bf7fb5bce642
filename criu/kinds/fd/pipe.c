// SPDX-License-Identifier: GPL-2.0-only
/* pipe(2): any number of descriptors of both ends, in any tasks. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kinds/fd/pipe_data.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "run/external.h"
#include "util/fds.h"
#include "util/str.h"

/* As returned by F_GETFL: set by open(2), but not by pipe(2). The kernel's value, as libc's may be 0. */
#define KERNEL_O_LARGEFILE 0100000u

static bool reads(unsigned flags)
{
	return (flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(unsigned flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* ---- dump ---- */

struct pipe_seen {
	struct record record; /* device, inode */
	bool reader, writer; /* open in the tree */
	bool reader_held, writer_held; /* open in any process */
	bool stdio; /* a standard descriptor of a task */
	struct dump_task *task; /* a task that has it open */
	int fd;
};

static bool pipe_claims(const struct fd_probe *probe)
{
	return S_ISFIFO(probe->st.st_mode) && probe->link && str_has_prefix(probe->link, "pipe:[") &&
	       !(probe->flags & O_PATH);
}

/* A reader gets POLLHUP if there is no writer, a writer POLLERR if there is no reader. poll(2) */
static int check_other_end(const struct fd_probe *probe, struct pipe_seen *seen)
{
	struct pollfd p = { .fd = probe->local, .events = POLLIN | POLLOUT };

	if (poll(&p, 1, 0) < 0)
		return fail(-errno, "poll a pipe");
	seen->reader_held = reads(probe->flags) || !(p.revents & POLLERR);
	seen->writer_held = writes(probe->flags) || !(p.revents & POLLHUP);
	return 0;
}

static int pipe_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	struct record_table *all = kind_data_of(&dump->arena, dump_kind_data(dump, &pipe_kind), sizeof(*all));
	struct pipe_seen *seen = all ? record_find(all, probe->st.st_dev, probe->st.st_ino) : NULL;
	PipeEntry *pipe_entry = dump_alloc(dump, sizeof(*pipe_entry));
	int err = 0;

	if (!all || !pipe_entry)
		return fail(-ENOMEM, "pipe");
	if (!seen) {
		seen = record_new(&dump->arena, all, probe->st.st_dev, probe->st.st_ino, sizeof(*seen));
		if (!seen)
			return fail(-ENOMEM, "pipe");
		seen->task = probe->task;
		seen->fd = probe->fd;
		err = check_other_end(probe, seen);
		if (!err)
			err = pipe_data_save(dump, IMAGE_PIPES_DATA, probe->st.st_ino, probe->local);
		if (err)
			return err;
	}
	seen->reader |= reads(probe->flags);
	seen->writer |= writes(probe->flags);
	seen->stdio |= probe->fd <= STDERR_FILENO;
	pipe_entry__init(pipe_entry);
	pipe_entry->id = entry->id;
	pipe_entry->pipe_id = probe->st.st_ino;
	pipe_entry->flags = probe->flags;
	entry->pipe = pipe_entry;
	return dump_fown(dump, probe, &pipe_entry->fown);
}

static bool is_external(const struct options *opts, unsigned long ino)
{
	char key[2][40];

	snprintf(key[0], sizeof(key[0]), "pipe:[%lu]", ino);
	snprintf(key[1], sizeof(key[1]), "pipe[%lu]", ino);
	return external_is_given(opts, key[0]) || external_is_given(opts, key[1]);
}

/* The autofs mount whose requests the kernel writes to it, in namespace @ns (0: any); NULL: there is none. */
static const struct mount_info *find_automount(const struct mountinfo *mounts, uint32_t ns, uint64_t pipe)
{
	const struct mount_info *m;
	uint64_t ino;

	array_for_each(m, mounts)
		if ((!ns || m->ns == ns) && mount_automount_pipe(m, &ino) && ino == pipe)
			return m;
	return NULL;
}

/* Of the tool. */
struct own_mounts {
	struct mountinfo read;
	const struct mountinfo *all; /* NULL: not known yet */
	uint32_t ns; /* those of @all that are in this namespace; 0: all */
};

/* If a task of the tree is in our namespace, and has our root directory, what it sees has been read. */
static bool find_read_already(struct dump *dump, struct own_mounts *own)
{
	struct ns *ns;
	char root[2];

	ns_for_each(ns, &dump->namespaces, NS_MNT) {
		if (!ns->own || !ns->member)
			continue;
		if (readlinkat(dump_task_of(ns->member)->proc.dir, "root", root, sizeof(root)) != 1)
			continue;
		own->all = &dump->mounts;
		own->ns = ns->id;
		return true;
	}
	return false;
}

static int find_own_mounts(struct dump *dump, struct own_mounts *own)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (own->all || find_read_already(dump, own))
		return 0;
	err = proc_open_self(&self);
	if (!err)
		err = mountinfo_read(&self, &own->read);
	if (err)
		return fail(err, "read the mounts of this program");
	own->all = &own->read;
	return 0;
}

/* A mount that is not saved stays where it is, and its requests would not get to the restored daemon. 1: refused. */
static int refuse_automount(struct dump *dump, const struct pipe_seen *seen, struct own_mounts *own)
{
	const unsigned long ino = seen->record.b;
	const struct mount_info *m;
	uint64_t any;
	int err;

	if (!seen->reader || hash_get(&dump->kernel_pipes, ino, &any))
		return 0;
	err = find_own_mounts(dump, own);
	if (err)
		return err;
	m = find_automount(own->all, own->ns, ino);
	if (!m) {
		m = find_automount(&dump->mounts, 0, ino);
		if (!m)
			return 0;
		/* The mounts of a tree that is refused have not been examined to the end. */
		if (dump->blockers.nr)
			return 1;
	}
	dump_blocker(
		dump, seen->task, seen->fd,
		"pipe:[%lu]: the kernel writes the requests of the autofs mount %s to it, which is not saved: it is not in a mount namespace of the tree, or is external or left out; end the automounter first",
		ino, m->mountpoint);
	return 1;
}

/* A pipe that leads out of the tree: a process at its other end would wait forever for the restored one. */
static int save_ends(struct dump *dump, struct own_mounts *own)
{
	struct record_table *all = *dump_kind_data(dump, &pipe_kind);

	for (struct record *r = all ? all->first : NULL; r; r = r->next) {
		const struct pipe_seen *seen = (const struct pipe_seen *)r;
		const char *end = seen->reader ? "writing" : "reading";
		int refused = refuse_automount(dump, seen, own);
		uint64_t any;

		if (refused < 0)
			return refused;
		if (refused)
			continue;
		if ((seen->reader || !seen->reader_held) &&
		    (seen->writer || !seen->writer_held || hash_get(&dump->kernel_pipes, r->b, &any)))
			continue;
		if (is_external(dump->opts, r->b))
			continue;
		if (seen->stdio && (dump->opts->shell_job || dump->opts->client_stdio))
			log_warn("pid %d: fd %d: pipe:[%lu]: its %s end is outside the tree: give --inherit-fd "
				 "'fd[N]:pipe:[%lu]' at restore, or it will be restored closed",
				 seen->task->t.pid, seen->fd, (unsigned long)r->b, end, (unsigned long)r->b);
		else
			dump_blocker(
				dump, seen->task, seen->fd,
				"pipe:[%lu]: its %s end is open in a process outside the tree, which would lose it: "
				"dump that process too, or give --external 'pipe:[%lu]' now and --inherit-fd "
				"'fd[N]:pipe:[%lu]' at restore",
				(unsigned long)r->b, end, (unsigned long)r->b, (unsigned long)r->b);
	}
	return 0;
}

static int pipe_save_end(struct dump *dump)
{
	struct own_mounts own = { .all = NULL };
	int err = save_ends(dump, &own);

	mountinfo_free(&own.read);
	return err;
}

/* ---- restore ---- */

struct pipe {
	struct pipe_end end;
	struct pipe_group *group;
};

static const struct inherit_fd *find_inherit(const struct options *opts, uint32_t pipe_id)
{
	char key[40];

	snprintf(key, sizeof(key), "pipe:[%u]", pipe_id);
	return external_inherited(opts, key);
}

static int pipe_load(struct restore *r, struct file *file, void *state)
{
	const PipeEntry *entry = file->entry->pipe;
	struct pipe_restore *data = NULL;
	struct pipe *st = state;
	int err = pipe_restore_data(r, &pipe_kind, IMAGE_PIPES_DATA, &data);

	if (err)
		return err;
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a pipe without a record", file->id);
	if ((entry->flags & O_ACCMODE) == O_ACCMODE)
		return fail(-EBADMSG, "files.img: file %u: invalid flags %#x of a pipe", file->id, entry->flags);
	st->end = (struct pipe_end){ .file = file, .flags = entry->flags, .fown = entry->fown };
	err = pipe_group_add(r, data, entry->pipe_id, &st->end, &st->group);
	if (!err)
		st->group->given = find_inherit(r->opts, entry->pipe_id);
	return err;
}

static int pipe_link(struct restore *r, struct file *file, void *state)
{
	struct pipe *st = state;

	if (!st->group->given)
		pipe_group_link(st->group, file);
	return 0;
}

static int pipe_in_namespaces(struct restore *r)
{
	struct pipe_restore *data = *restore_kind_data(r, &pipe_kind);

	for (struct record *rec = data ? data->groups.first : NULL; rec; rec = rec->next) {
		struct pipe_group *group = (struct pipe_group *)rec;

		if (!group->given)
			continue;
		group->inherited = dup_fd_above(group->given->fd, r->service_base);
		if (group->inherited < 0)
			return fail(group->inherited, "--inherit-fd fd[%d]:%s", group->given->fd, group->given->key);
	}
	return 0;
}

/* Of a pipe a description of its own, so that our flags stay ours; of anything else the very one, with its position. */
static int open_inherited(struct restore *r, const struct pipe *st)
{
	int given = st->group->inherited, fd, err;
	struct stat stat;

	if (fstat(given, &stat) < 0)
		return fail(-errno, "--inherit-fd %s", st->group->given->key);
	fd = S_ISFIFO(stat.st_mode) ? reopen_fd(given, st->end.flags) : dup_fd_above(given, 0);
	if (fd < 0)
		return fail(fd, "--inherit-fd %s", st->group->given->key);
	if (!S_ISFIFO(stat.st_mode))
		return fd;
	err = set_status_flags(r, fd, st->end.flags, st->end.fown);
	if (err)
		close(fd);
	return err ? err : fd;
}

static bool is_unmodified(const struct pipe_end *end)
{
	return (end->flags & O_ACCMODE) != O_RDWR && !(end->flags & KERNEL_O_LARGEFILE);
}

/* Ends beyond the two that pipe(2) returns are opened; then these two are used, if needed. */
static int open_ends(struct restore *r, const struct pipe_group *group, int made[2], int *ret_fd)
{
	const struct pipe_end *first[2] = { NULL, NULL };
	int err = 0;

	for (const struct pipe_end *end = group->ends; end && !err; end = end->next) {
		const struct pipe_end **as_made = &first[writes(end->flags)];
		int fd;

		if (is_unmodified(end) && !*as_made) {
			*as_made = end;
			continue;
		}
		fd = reopen_fd(made[0], end->flags);
		err = fd < 0 ? fail(fd, "open a pipe again") : pipe_end_provide(r, group, end, fd, ret_fd);
	}
	for (int i = 0; i < 2 && !err; i++)
		if (first[i])
			err = pipe_end_provide(r, group, first[i], steal_fd(&made[i]), ret_fd);
	return err;
}

static int pipe_open(struct restore *r, struct file *file, const void *state)
{
	const struct pipe *st = state;
	int made[2], fd = -1, err;

	if (st->group->given)
		return open_inherited(r, st);
	if (pipe2(made, O_CLOEXEC) < 0)
		return fail(-errno, "create a pipe");
	err = pipe_data_put(st->group->data, made[1]);
	if (!err)
		err = open_ends(r, st->group, made, &fd);
	/* We must not keep an end open that no task has: others depend on its absence. */
	for (int i = 0; i < 2; i++)
		if (made[i] >= 0)
			close(made[i]);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static void pipe_describe(const FileEntry *entry, struct description *d)
{
	const PipeEntry *pipe = entry->pipe;

	if (!pipe)
		return;
	describe_flow(d, "pipe", pipe->pipe_id, pipe->flags);
	describe_add(d, "pipe %u for %s", pipe->pipe_id, d->writes ? d->reads ? "both" : "writing" : "reading");
}

const struct fd_kind pipe_kind = {
	.name = "pipe",
	.image_type = FD_TYPES__PIPE,
	.for_untrusted = true,
	.state_size = sizeof(struct pipe),
	.claims = pipe_claims,
	.save = pipe_save,
	.load = pipe_load,
	.link = pipe_link,
	.open = pipe_open,
	.describe = pipe_describe,
};

const struct run_kind pipe_run = {
	.name = "pipe",
	.save_end = pipe_save_end,
	.in_namespaces = pipe_in_namespaces,
};
