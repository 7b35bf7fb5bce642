// SPDX-License-Identifier: GPL-2.0-only
/* Reads and checks the image entries of unix sockets. */
#include <errno.h>
#include <string.h>
#include "kinds/fd/sockopts.h"
#include "kinds/fd/unix/internal.h"
#include "run/external.h"
#include "run/network.h"

#define PACKET_LIMIT (1u << 30)
#define SCM_MAX_FDS 253

struct unix_restore *unix_restore_data(struct restore *r)
{
	return kind_data_of(&r->arena, restore_kind_data(r, &unix_kind), sizeof(struct unix_restore));
}

/* ---- queues ---- */

static int check_packet(struct image_reader *img, const SkPacketEntry *entry)
{
	size_t rights = 0;

	if (entry->length > PACKET_LIMIT)
		return image_refuse(img, "invalid packet of %u bytes", entry->length);
	if (entry->has_addr && entry->addr.len > UNIX_NAME_MAX)
		return image_refuse(img, "invalid name of %zu bytes", entry->addr.len);
	for (size_t i = 0; i < entry->n_scm; i++) {
		const ScmEntry *scm = entry->scm[i];

		if (scm->type == SCM_RIGHTS)
			rights += scm->n_rights;
		else if (scm->type != UNIX_CREDENTIALS || scm->n_rights != 3)
			return image_refuse(img, "invalid control message of type %u with %zu numbers", scm->type,
					    scm->n_rights);
	}
	if (rights > SCM_MAX_FDS)
		return image_refuse(img, "%zu descriptors in one message", rights);
	return 0;
}

static int keep_packet(struct restore *r, struct image_reader *img, struct unix_restore *data,
		       const SkPacketEntry *entry)
{
	struct unix_queue *queue = record_find(&data->queues, 0, entry->id_for);
	struct unix_packet *packet = restore_alloc(r, sizeof(*packet));
	void *copy = NULL;
	const void *bytes;
	int err = check_packet(img, entry);

	if (!err)
		err = image_read_raw(img, entry->length, &bytes);
	if (err)
		return err;
	copy = restore_alloc(r, entry->length + 1);
	if (!queue) {
		queue = record_new(&r->arena, &data->queues, 0, entry->id_for, sizeof(*queue));
		if (queue)
			queue->last = &queue->first;
	}
	if (!queue || !packet || !copy)
		return -ENOMEM;
	packet->entry = entry;
	packet->bytes = memcpy(copy, bytes, entry->length);
	*queue->last = packet;
	queue->last = &packet->next;
	queue->nr++;
	queue->bytes += entry->length;
	return 0;
}

/* Reads sk-queues.img, once. The records live as long as the run. */
static int unix_load_queues(struct restore *r, struct unix_restore *data)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	int err = image_open(r->dir, IMAGE_SK_QUEUES, 0, &img);

	if (err == -ENOENT)
		return 0;
	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	while (!err) {
		SkPacketEntry *entry;
		int got = image_read_record(img, &sk_packet_entry__descriptor, &entry);

		err = got < 0 ? got : 0;
		if (got <= 0)
			break;
		err = arena_defer(&r->arena, image_free_record, entry);
		if (!err)
			err = keep_packet(r, img, data, entry);
	}
	return err ? fail(err, "%s", err == -ENOMEM ? "content of sockets" : image_error(img)) : 0;
}

/* ---- sockets ---- */

static const struct inherit_fd *find_inherit(const struct options *opts, uint32_t ino)
{
	char key[40];

	snprintf(key, sizeof(key), "socket:[%u]", ino);
	return external_inherited(opts, key);
}

static int check_entry(const struct file *file, const UnixSkEntry *entry)
{
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a unix socket, but has no entry for it", file->id);
	if (!entry->ino)
		return fail(-EBADMSG, "a unix socket without an inode");
	if (entry->type != SOCK_STREAM && entry->type != SOCK_DGRAM && entry->type != SOCK_SEQPACKET)
		return fail(-EBADMSG, "invalid type %u of a unix socket", entry->type);
	if (entry->state != UNIX_ESTABLISHED && entry->state != UNIX_CLOSE && entry->state != UNIX_LISTEN)
		return fail(-EBADMSG, "invalid state %u of a unix socket", entry->state);
	if (entry->uflags & ~(UNIX_EXTERNAL | UNIX_SERVICE | UNIX_CALLBACK | UNIX_INHERITED))
		return fail(-EBADMSG, "unknown uflags %#x", entry->uflags);
	if ((entry->uflags & (UNIX_SERVICE | UNIX_CALLBACK)) &&
	    (entry->state != UNIX_ESTABLISHED || (entry->uflags & UNIX_EXTERNAL)))
		return fail(-EBADMSG, "invalid connection to the service: state %u, uflags %#x", entry->state,
			    entry->uflags);
	if (entry->name.len > UNIX_NAME_MAX)
		return fail(-EBADMSG, "invalid name of %zu bytes", entry->name.len);
	if (entry->has_shutdown && entry->shutdown > 3)
		return fail(-EBADMSG, "invalid shutdown state %u", entry->shutdown);
	if (entry->state == UNIX_LISTEN && !(entry->uflags & UNIX_EXTERNAL) &&
	    (entry->type == SOCK_DGRAM || entry->peer || !entry->name.len))
		return fail(-EBADMSG, "invalid listening socket: type %u, peer %u, a name of %zu bytes", entry->type,
			    entry->peer, entry->name.len);
	if (entry->gone && (entry->type == SOCK_DGRAM || entry->state != UNIX_ESTABLISHED || !entry->peer))
		return fail(-EBADMSG, "invalid closed client: type %u, state %u", entry->type, entry->state);
	if (entry->name_dir && entry->name_dir[0] != '/')
		return fail(-EBADMSG, "name_dir %s: not an absolute path", entry->name_dir);
	if (entry->moved_to && entry->moved_to[0] != '/')
		return fail(-EBADMSG, "moved_to %s: not an absolute path", entry->moved_to);
	return sockopts_check(entry->opts);
}

/* Abstract names as they are; paths are made absolute and end at the first 0. */
static int set_key(struct restore *r, struct unix_sock *sock)
{
	const ProtobufCBinaryData *name = &sock->entry->name;
	const char *dir = sock->entry->name_dir ? sock->entry->name_dir : "/";
	size_t len = name->len, dir_len;
	char *key;

	if (!len)
		return 0;
	if (unix_has_path(sock))
		len = strnlen((const char *)name->data, len);
	dir_len = unix_has_path(sock) && name->data[0] != '/' ? strlen(dir) + 1 : 0;
	key = restore_alloc(r, dir_len + len + 1);
	if (!key)
		return fail(-ENOMEM, "unix socket");
	if (dir_len) {
		memcpy(key, dir, dir_len - 1);
		key[dir_len - 1] = '/';
	}
	memcpy(key + dir_len, name->data, len);
	sock->key = key;
	sock->key_len = dir_len + len;
	return 0;
}

int unix_load(struct restore *r, struct file *file, void *state)
{
	struct unix_restore *data = unix_restore_data(r);
	const UnixSkEntry *entry = file->entry->usk;
	struct unix_sock *sock;
	int err = check_entry(file, entry);

	if (!data)
		return fail(-ENOMEM, "unix sockets");
	if (!err && !data->loaded) {
		data->loaded = true;
		err = unix_load_queues(r, data);
	}
	if (err)
		return err;
	if (record_find(&data->socks, 0, entry->ino))
		return fail(-EBADMSG, "two unix sockets have the inode %u", entry->ino);
	sock = record_new(&r->arena, &data->socks, 0, entry->ino, sizeof(*sock));
	if (!sock)
		return fail(-ENOMEM, "unix socket");
	sock->file = file;
	sock->entry = entry;
	sock->fd = sock->placeholder = -1;
	sock->inherited = find_inherit(r->opts, entry->ino);
	((struct unix_state *)state)->sock = sock;
	/* One outside the tree is only a name. */
	err = unix_is_external(sock) ? 0 : restore_set_network(r, file, entry->ns_id);
	if (err)
		return err;
	return set_key(r, sock);
}
