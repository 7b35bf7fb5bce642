// SPDX-License-Identifier: GPL-2.0-only
/* Unix sockets: dump, and the restore hooks. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kinds/fd/sockopts.h"
#include "kinds/fd/unix/internal.h"
#include "kinds/kinds.h"
#include "run/opener.h"
#include "util/fds.h"

static bool unix_claims(const struct fd_probe *probe)
{
	int family = -1;
	socklen_t len = sizeof(family);

	return S_ISSOCK(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       !getsockopt(probe->local, SOL_SOCKET, SO_DOMAIN, &family, &len) && family == AF_UNIX;
}

/* Checks for POLLERR, since SO_ERROR would clear the error; it can only be that a peer was closed with unread data. */
static bool has_error(int local)
{
	struct pollfd p = { .fd = local };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

static int save_connection(struct dump *dump, const struct fd_probe *probe, const struct unix_diags *all,
			   const struct unix_diag *diag, UnixSkEntry *entry)
{
	struct pollfd oob = { .fd = probe->local, .events = POLLPRI };
	uint64_t listener;

	entry->peer = diag->peer;
	if (diag->peer && diag->peer == dump->opts->service_inode)
		entry->uflags |= UNIX_CALLBACK;
	if (diag->has_peer && !diag->peer) {
		if (hash_get(&all->waiting, diag->ino, &listener)) {
			entry->peer = (uint32_t)listener;
			entry->has_waiting = true;
			entry->waiting = listener >> 32;
		} else if (diag->type == SOCK_DGRAM) {
			entry->has_peer_closed = entry->peer_closed = true;
		}
	}
	entry->has_shutdown = diag->shutdown != 0;
	entry->shutdown = diag->shutdown & 3;
	if (has_error(probe->local)) {
		entry->has_so_error = true;
		entry->so_error = ECONNRESET;
	}
	if (diag->type == SOCK_STREAM && poll(&oob, 1, 0) > 0 && (oob.revents & POLLPRI))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: unread urgent data (MSG_OOB) cannot be saved; let the program read it first",
			     probe->link);
	return 0;
}

/* The pid of a process outside the tree is meaningless after a restore. */
static void save_peer_pid(struct dump *dump, const struct fd_probe *probe, UnixSkEntry *entry)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	const struct dump_task *task;

	if (getsockopt(probe->local, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid <= 0)
		return;
	task = dump_find_task(dump, cred.pid);
	entry->has_peer_pid = task != NULL;
	entry->peer_pid = task ? task->t.pid : 0;
}

static int fill_entry(struct dump *dump, const struct fd_probe *probe, const struct unix_diags *all,
		      const struct unix_diag *diag, UnixSkEntry *entry)
{
	int err;

	entry->ino = diag->ino;
	entry->type = diag->type;
	entry->state = diag->state;
	entry->flags = probe->flags;
	entry->backlog = diag->wqueue;
	entry->has_ns_id = true;
	entry->ns_id = unix_network_of(all);
	save_peer_pid(dump, probe, entry);
	err = save_connection(dump, probe, all, diag, entry);
	if (!err)
		err = unix_save_name(dump, probe, diag, entry);
	if (!err)
		err = sockopts_save(dump, probe, &entry->opts);
	return err ? err : dump_fown(dump, probe, &entry->fown);
}

static int unix_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	struct unix_dump *data = kind_data_of(&dump->arena, dump_kind_data(dump, &unix_kind), sizeof(*data));
	UnixSkEntry *sk = dump_alloc(dump, sizeof(*sk));
	const struct unix_diags *all;
	const struct unix_diag *diag;
	struct unix_seen *seen;
	int err;

	if (!data || !sk)
		return fail(-ENOMEM, "unix socket");
	unix_sk_entry__init(sk);
	sk->id = entry->id;
	entry->usk = sk;
	err = unix_diag_of(dump, probe, &all, &diag);
	if (err)
		return err;
	seen = record_new(&dump->arena, &data->seen, 0, diag->ino, sizeof(*seen));
	if (!seen)
		return fail(-ENOMEM, "unix socket");
	seen->diag = diag;
	seen->entry = sk;
	seen->task = probe->task;
	seen->fd = probe->fd;
	return fill_entry(dump, probe, all, diag, sk);
}

static int unix_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	return entry->usk->state == UNIX_LISTEN ? unix_read_pending(dump, probe) :
						  unix_save_queue(dump, probe, entry->usk);
}

/* ---- restore ---- */

static int unix_in_namespaces(struct restore *r)
{
	struct unix_restore *data = unix_restore_data(r);

	for (struct record *rec = data ? data->socks.first : NULL; rec; rec = rec->next) {
		struct unix_sock *sock = (struct unix_sock *)rec;

		if (!sock->inherited)
			continue;
		sock->fd = dup_fd_above(sock->inherited->fd, r->service_base);
		if (sock->fd < 0)
			return fail(sock->fd, "--inherit-fd fd[%d]:%s", sock->inherited->fd, sock->inherited->key);
	}
	return 0;
}

static int announce_in_flight(struct restore *r, const struct file *file, int fd)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->opened_in_flight)
			err = kind->opened_in_flight(r, file, fd);
	return err;
}

/* Files in flight that are created nowhere else. */
static int open_in_flight(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for (const struct unix_opens *o = group->opens; !err && o; o = o->next) {
		struct file *file = o->file;
		int fd;

		LOG_SCOPE("file %#x in flight (%s)", file->id, file->kind->name);
		if (file->maker || file->owner)
			continue;
		fd = restore_call_open(r, file, audience_of_file(r, file));
		opener_leave(r);
		err = fd < 0 ? fd : announce_in_flight(r, file, fd);
		err = err ?: restore_provide(r, file, fd);
	}
	return err;
}

static void close_group(struct unix_group *group)
{
	for (struct unix_sock *s = group->first; s; s = s->in_group)
		if (s->fd >= 0 && !s->inherited)
			close(steal_fd(&s->fd));
}

/* We need our descriptors until finish: the others get copies. */
static int pass_to_others(struct restore *r, struct unix_group *group, const struct unix_sock *own)
{
	int err = 0;

	for (struct unix_sock *s = group->first; s && !err; s = s->in_group) {
		int fd;

		if (s == own || s->fd < 0 || s->inherited || s->entry->gone)
			continue;
		fd = dup_fd_above(s->fd, r->service_base);
		err = fd < 0 ? fail(fd, "copy the descriptor of a socket") : restore_provide(r, s->file, fd);
	}
	return err;
}

static int unix_open(struct restore *r, struct file *file, const void *state)
{
	struct unix_sock *own = ((const struct unix_state *)state)->sock;
	struct unix_restore *data = unix_restore_data(r);
	struct unix_group *group = own->group;
	int err, fd;

	if (own->inherited)
		return dup_fd_above(own->fd, 0);
	if (unix_is_external(own) || file != group->maker)
		return fail(-EINVAL, "file %#x cannot be created on its own", file->id);
	err = unix_make_group(r, group);
	if (!err)
		err = open_in_flight(r, group);
	if (!err && !group->in_flight)
		err = unix_fill_group(r, group);
	if (!err)
		err = pass_to_others(r, group, own);
	if (err)
		return err;
	fd = dup_fd_above(own->fd, 0);
	if (fd < 0)
		return fail(fd, "copy the descriptor of a socket");
	if (group->filled) {
		close_group(group);
	} else {
		group->next = data->unfinished;
		data->unfinished = group;
	}
	return fd;
}

static int finish_in_flight(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for (const struct unix_opens *o = group->opens; !err && o; o = o->next) {
		struct file *file = o->file;
		bool borrowed;
		int fd;

		if (file->owner || !file->kind->finish || file->kind->image_type == FD_TYPES__UNIXSK)
			continue;
		fd = restore_borrow_fd(r, file, &borrowed);
		if (fd < 0)
			return fd;
		err = restore_call_finish(r, file, fd);
		if (!borrowed)
			close(fd);
	}
	return err;
}

static pid_t peer_pid(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

/*
 * Clients learn the pid of the listener from SO_PEERCRED: the task that called listen(2) calls it again, for those that
 * connect from now on.
 */
static int listen_again(const struct restore *r, const struct unix_sock *sock, int fd)
{
	const UnixSkEntry *entry = sock->entry;
	struct unix_self self;
	int err = 0;

	if (entry->state != UNIX_LISTEN || sock->inherited || !entry->has_peer_pid ||
	    (pid_t)entry->peer_pid != r->process.task->t.pid || peer_pid(fd) == getpid())
		return 0;
	err = unix_become_owner(sock, &self);
	if (!err && listen(fd, MIN_OF((size_t)entry->backlog, (size_t)INT32_MAX)) < 0)
		err = fail(-errno, "listen on a unix socket");
	unix_become_self(&self);
	return err;
}

static void report_peer_pid(const struct restore *r, const struct unix_sock *sock, int fd)
{
	const UnixSkEntry *entry = sock->entry;

	if (entry->has_peer_pid && !sock->inherited &&
	    peer_pid(fd) != restore_number_seen(r, r->process.task, (pid_t)entry->peer_pid))
		log_warn("socket:[%u]: SO_PEERCRED reports pid %d, which created it again, instead of %u", entry->ino,
			 peer_pid(fd), entry->peer_pid);
}

static int unix_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const struct unix_sock *own = ((const struct unix_state *)state)->sock;
	struct unix_restore *data = unix_restore_data(r);
	struct unix_group *group;
	int err = listen_again(r, own, fd);

	if (err)
		return err;
	report_peer_pid(r, own, fd);

	while ((group = data->unfinished)) {
		err = unix_fill_group(r, group);
		if (!err)
			err = finish_in_flight(r, group);
		if (err)
			return err;
		data->unfinished = group->next;
		close_group(group);
	}
	return 0;
}

const struct fd_kind unix_kind = {
	.name = "unix",
	.image_type = FD_TYPES__UNIXSK,
	.for_untrusted = true,
	.state_size = sizeof(struct unix_state),
	.claims = unix_claims,
	.save = unix_save,
	.save_late = unix_save_late,
	.load = unix_load,
	.link = unix_link,
	.open = unix_open,
	.finish = unix_finish,
	.check = unix_check,
	.describe = unix_describe,
};

const struct run_kind unix_run = {
	.name = "unix",
	.save_end = unix_save_end,
	.in_namespaces = unix_in_namespaces,
};
