// SPDX-License-Identifier: GPL-2.0-only
/* Which sockets form a group, and which process creates it. */
#include <errno.h>
#include <string.h>
#include "kinds/fd/unix/internal.h"

static int new_group(struct restore *r, struct unix_sock *sock)
{
	struct unix_group *group = restore_alloc(r, sizeof(*group));

	if (!group)
		return fail(-ENOMEM, "unix sockets");
	group->first = group->last = sock;
	group->nr = 1;
	sock->group = group;
	return 0;
}

static void join(struct unix_sock *a, struct unix_sock *b)
{
	struct unix_group *to = a->group, *from = b->group;

	if (to == from || a->inherited || b->inherited)
		return;
	if (to->nr < from->nr) {
		to = b->group;
		from = a->group;
	}
	for (struct unix_sock *s = from->first; s; s = s->in_group)
		s->group = to;
	to->last->in_group = from->first;
	to->last = from->last;
	to->nr += from->nr;
	from->first = from->last = NULL;
}

static int find_peer(struct restore *r, struct unix_restore *data, struct unix_sock *sock)
{
	const UnixSkEntry *entry = sock->entry;
	struct unix_sock *peer = entry->peer ? record_find(&data->socks, 0, entry->peer) : NULL;

	if (!entry->peer || sock->inherited || (!peer && unix_is_rpc_client(sock)))
		return 0;
	if (!peer)
		return fail(-EBADMSG,
			    "the peer of socket:[%u], socket:[%u], is not in the images; pass it with --inherit-fd "
			    "'fd[N]:socket:[%u]'",
			    entry->ino, entry->peer, entry->ino);
	if (peer->entry->type != entry->type)
		return fail(-EBADMSG, "a socket of type %u has a peer of type %u", entry->type, peer->entry->type);
	if (peer->inherited)
		return fail(-EINVAL,
			    "its peer socket:[%u] is passed with --inherit-fd; pass this one, socket:[%u], as well",
			    entry->peer, entry->ino);
	if (unix_is_external(peer)) {
		if (!r->opts->ext_unix_sk && !r->opts->externals.n)
			return fail(-EINVAL,
				    "is to be connected to a socket outside the tree; allow it with --ext-unix-sk");
	} else if (entry->type == SOCK_DGRAM ? peer->entry->state == UNIX_LISTEN :
					       peer->entry->state != UNIX_LISTEN && peer->entry->peer != entry->ino) {
		return fail(-EBADMSG, "socket:[%u] cannot have the peer socket:[%u]", entry->ino, entry->peer);
	}
	if (entry->gone && (peer->entry->state != UNIX_LISTEN || unix_is_external(peer) || sock->file->owner))
		return fail(-EBADMSG, "socket:[%u] cannot be a closed client", entry->ino);
	if (peer == sock && entry->type != SOCK_DGRAM)
		return fail(-EBADMSG, "socket:[%u] is its own peer", entry->ino);
	sock->peer = peer;
	join(sock, peer);
	return 0;
}

struct unix_name {
	struct record record;
	struct unix_sock *sock;
};

static int join_names(struct restore *r, struct unix_restore *data, struct unix_sock *sock)
{
	struct unix_name *name;
	uint64_t key;

	if (!sock->key || sock->inherited || unix_is_external(sock))
		return 0;
	key = hash_bytes(sock->entry->name.data, sock->entry->name.len);
	if (sock->entry->type == SOCK_DGRAM && !record_find(&data->bound, key, sock->entry->ns_id)) {
		name = record_new(&r->arena, &data->bound, key, sock->entry->ns_id, sizeof(*name));
		if (!name)
			return fail(-ENOMEM, "unix sockets");
		name->sock = sock;
	}
	key = hash_bytes(sock->key, sock->key_len);
	name = record_find(&data->names, key, sock->entry->ns_id);
	if (name) {
		join(name->sock, sock);
		return 0;
	}
	name = record_new(&r->arena, &data->names, key, sock->entry->ns_id, sizeof(*name));
	if (!name)
		return fail(-ENOMEM, "unix sockets");
	name->sock = sock;
	return 0;
}

/* Sockets that have sent to it without being connected. */
static void join_senders(struct unix_restore *data, struct unix_sock *sock)
{
	const struct unix_queue *queue = record_find(&data->queues, 0, sock->file->id);

	for (const struct unix_packet *p = queue ? queue->first : NULL; p; p = p->next) {
		const ProtobufCBinaryData *addr = &p->entry->addr;
		struct unix_name *name =
			addr->len ? record_find(&data->bound, hash_bytes(addr->data, addr->len), sock->entry->ns_id) :
				    NULL;

		if (name)
			join(name->sock, sock);
	}
}

static bool has_listener(const struct unix_sock *sock)
{
	for (const struct unix_sock *s = sock->group->first; s; s = s->in_group)
		if (s->entry->state == UNIX_LISTEN && unix_same_name(s, sock))
			return true;
	return false;
}

/*
 * The end returned by accept(2) has the name of the listening socket. If both ends are named, it is the one whose name
 * still has a listening socket, else the younger one: a client exists before it is accepted.
 */
static void find_accepted(struct unix_sock *sock)
{
	const struct unix_sock *peer = sock->peer;

	if (sock->entry->type == SOCK_DGRAM || sock->entry->state != UNIX_ESTABLISHED || !sock->key ||
	    sock->inherited || unix_is_external(sock))
		return;
	if (!peer) {
		sock->inherits_name = true;
		return;
	}
	if (!unix_is_pair(sock) || peer->inherits_name)
		return;
	sock->inherits_name =
		!peer->key || has_listener(sock) || (!has_listener(peer) && sock->entry->ino > peer->entry->ino);
}

static int link_queue(struct restore *r, struct unix_restore *data, struct unix_sock *sock)
{
	struct unix_group *group = sock->group;

	sock->queue = record_find(&data->queues, 0, sock->file->id);
	for (const struct unix_packet *p = sock->queue ? sock->queue->first : NULL; p; p = p->next) {
		for (size_t i = 0; i < p->entry->n_scm; i++) {
			const ScmEntry *scm = p->entry->scm[i];

			for (size_t j = 0; scm->type == SCM_RIGHTS && j < scm->n_rights; j++) {
				struct file *file = restore_file(r, scm->rights[j], "sk-queues.img: a message");
				struct unix_opens *opens;

				if (!file)
					return -EBADMSG;
				group->in_flight = file->in_flight = true;
				if (file->owner || hash_get_ptr(&data->opened_by, file->id))
					continue;
				opens = restore_alloc(r, sizeof(*opens));
				if (!opens || hash_put_ptr(&data->opened_by, file->id, group))
					return fail(-ENOMEM, "descriptors in flight");
				*opens = (struct unix_opens){ .next = group->opens, .file = file };
				group->opens = opens;
			}
		}
	}
	if (sock->queue && sock->entry->state == UNIX_LISTEN)
		return fail(-EBADMSG, "sk-queues.img: packets for file %u, which is a listening socket",
			    sock->file->id);
	return 0;
}

/* Best is a socket of the task that SO_PEERCRED reports to others, then one of any task, then one of none. */
static int maker_score(const struct unix_sock *sock, const struct unix_sock *reported)
{
	const struct restore_task *owner = sock->file->owner;

	if (!owner)
		return 0;
	return reported && owner->t.pid == (pid_t)reported->entry->peer_pid ? 2 : 1;
}

/* A socket that a task has: its process creates the group. */
static void find_maker(struct unix_group *group)
{
	const struct unix_sock *reported = NULL;
	int best = -1;

	for (struct unix_sock *s = group->first; s; s = s->in_group)
		if (s->entry->has_peer_pid && (!reported || s->entry->state == UNIX_LISTEN))
			reported = s;
	for (struct unix_sock *s = group->first; s; s = s->in_group) {
		if (s->inherited || unix_is_external(s) || s->entry->gone || maker_score(s, reported) <= best)
			continue;
		best = maker_score(s, reported);
		group->maker = s->file;
	}
}

static int check_queues(struct restore *r, struct unix_restore *data)
{
	for (struct record *rec = data->queues.first; rec; rec = rec->next) {
		struct file *file = restore_file(r, rec->b, "sk-queues.img: a packet");

		if (!file)
			return -EBADMSG;
		if (file->kind->image_type != FD_TYPES__UNIXSK && file->kind->image_type != FD_TYPES__NETLINKSK)
			return fail(-EBADMSG, "sk-queues.img: packets for file %#x, which is not a socket but %s",
				    file->id, file->kind->name);
	}
	return 0;
}

#define for_each_sock(sock, data)                                                    \
	for (struct unix_sock *sock = (struct unix_sock *)(data)->socks.first; sock; \
	     sock = (struct unix_sock *)sock->record.next)

static void free_opened_by(void *data)
{
	hash_free(&((struct unix_restore *)data)->opened_by);
}

static int link_all(struct restore *r, struct unix_restore *data)
{
	int err = arena_defer(&r->arena, free_opened_by, data);

	err = err ? fail(err, "unix sockets") : check_queues(r, data);
	for_each_sock(s, data) if (!err) err = new_group(r, s);
	for_each_sock(s, data)
	{
		if (!err)
			err = find_peer(r, data, s);
		if (!err)
			err = join_names(r, data, s);
	}
	for_each_sock(s, data) if (!err) join_senders(data, s);
	for_each_sock(s, data)
	{
		if (err)
			break;
		find_accepted(s);
		err = link_queue(r, data, s);
		if (!s->group->maker)
			find_maker(s->group);
	}
	return err;
}

int unix_link(struct restore *r, struct file *file, void *state)
{
	const struct unix_sock *sock = ((struct unix_state *)state)->sock;
	struct unix_restore *data = unix_restore_data(r);

	if (!data->linked) {
		int err = link_all(r, data);

		if (err)
			return err;
		data->linked = true;
	}
	if (!sock->inherited && !unix_is_external(sock))
		file->maker = sock->group->maker;
	return 0;
}
