// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that have not been accepted yet, and what was sent through them. Their clients are in the tree, or closed
 * already, so that only the listening socket refers to them.
 */
#include <errno.h>
#include <string.h>
#include "kinds/fd/unix/internal.h"

/* Whether there is anything to read; the kernel's listing does not show closed clients. */
static bool has_sent(const struct unix_diags *all, const struct unix_diag *listener)
{
	for (size_t i = 0; i < listener->nr_icons; i++) {
		const struct unix_diag *client = unix_diag_find(all, listener->icons[i]);

		if (!listener->icons[i] || (client && client->wqueue))
			return true;
	}
	return false;
}

int unix_read_pending(struct dump *dump, const struct fd_probe *probe)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	struct unix_seen *seen = record_find(&data->seen, 0, probe->st.st_ino);
	const struct unix_diags *all;
	const struct unix_diag *diag;
	int err = unix_diag_of(dump, probe, &all, &diag);

	if (err || !seen || !has_sent(all, diag))
		return err;
	if (!data->pending_reader && !data->no_pending_reader)
		data->no_pending_reader = pending_open(&data->pending_reader);
	seen->unreadable = data->no_pending_reader;
	/* A running tree changes while it is read. */
	if (!seen->unreadable && !dump_is_check(dump))
		seen->unreadable = pending_unix(data->pending_reader, probe->local, &seen->pending);
	if (seen->unreadable)
		log_info("%s: connections not accepted yet cannot be read (BPF): %s", probe->link,
			 strerror(-seen->unreadable));
	return 0;
}

static int write_packet(struct dump *dump, uint32_t id, const struct pending_connection *c,
			const struct pending_packet *from)
{
	SkPacketEntry packet = SK_PACKET_ENTRY__INIT;
	ScmEntry scm = SCM_ENTRY__INIT, *scms[] = { &scm };
	uint32_t cred[] = { (uint32_t)dump_pid_of(dump, from->pid), dump_uid_of(dump, from->uid),
			    dump_gid_of(dump, from->gid) };
	struct image_writer *img;
	int err = dump_shared_image(dump, IMAGE_SK_QUEUES, &img);

	if (err)
		return err;
	packet.id_for = id;
	packet.length = from->len;
	if (from->has_credentials) {
		scm.type = UNIX_CREDENTIALS;
		scm.rights = cred;
		scm.n_rights = 3;
		packet.scm = scms;
		packet.n_scm = 1;
	}
	err = image_write_record(img, &packet.base);
	if (!err)
		err = image_write_raw(img, c->bytes.data + from->at, from->len);
	return err ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int write_packets(struct dump *dump, const struct unix_seen *at, uint32_t id, const struct pending_connection *c)
{
	const struct pending_packet *packet;
	bool rights = false;
	int err = 0;

	array_for_each(packet, &c->packets)
		rights |= packet->has_rights;
	if (c->urgent || rights) {
		dump_blocker(
			dump, at->task, at->fd,
			"%s: %s were sent to it in a connection that is not accepted yet, which is not supported; let "
			"the server accept it first",
			unix_name_text(dump, at->diag), rights ? "descriptors (SCM_RIGHTS)" : "urgent data (MSG_OOB)");
		return 0;
	}
	array_for_each(packet, &c->packets) {
		if (!err)
			err = write_packet(dump, id, c, packet);
	}
	return err;
}

/* An unused inode number: the kernel counts inodes of sockets upwards, these are counted downwards. */
static uint32_t invent_inode(struct unix_dump *data)
{
	do
		data->invented_inode--;
	while (!data->invented_inode || record_find(&data->seen, 0, data->invented_inode));
	return data->invented_inode;
}

/* A closed client is restored as one that no task has: connected, and closed when it has sent everything. */
static int write_closed_client(struct dump *dump, const struct unix_seen *at, size_t place,
			       const struct pending_connection *c)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	UnixSkEntry sk = UNIX_SK_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	int err;

	sk.ino = invent_inode(data);
	if (!record_new(&dump->arena, &data->seen, 0, sk.ino, sizeof(struct unix_seen)))
		return fail(-ENOMEM, "unix socket");
	entry.type = FD_TYPES__UNIXSK;
	entry.id = sk.id = dump_new_file_id(dump);
	entry.usk = &sk;
	sk.type = at->diag->type;
	sk.state = UNIX_ESTABLISHED;
	sk.peer = at->diag->ino;
	sk.fown = &fown;
	sk.opts = &opts;
	sk.has_ns_id = true;
	sk.ns_id = at->entry->ns_id;
	sk.has_waiting = sk.has_gone = sk.gone = true;
	sk.waiting = place;
	err = dump_write_file_entry(dump, &entry);
	return err ? err : write_packets(dump, at, sk.id, c);
}

static int save_client(struct dump *dump, const struct unix_seen *at, size_t i, const struct unix_seen *client)
{
	const struct pending_connection *c = i < at->pending.n ? &at->pending.v[i] : NULL;

	if (client && !client->diag->wqueue)
		return 0;
	if (dump_is_check(dump) && !at->unreadable)
		return 0;
	if (c && c->client == at->diag->icons[i])
		return client ? write_packets(dump, at, client->entry->id, c) : write_closed_client(dump, at, i + 1, c);
	if (client)
		dump_blocker(
			dump, client->task, client->fd,
			"socket:[%u]: has sent data to %s, where it is not accepted yet; reading that needs BPF "
			"(CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, /sys/kernel/btf/vmlinux): %s; let the server accept it "
			"first",
			client->diag->ino, unix_name_text(dump, at->diag),
			rights_reason(&dump->rights, RIGHT_READ_KERNEL_MEMORY, at->unreadable));
	else
		log_warn("pid %d: fd %d: %s: a connection that was closed before it was accepted is lost",
			 at->task->t.pid, at->fd, unix_name_text(dump, at->diag));
	return 0;
}

static void report_external(struct dump *dump, const struct unix_seen *at, size_t external)
{
	if (external && dump->opts->skip_in_flight)
		log_warn("pid %d: fd %d: %s: %zu connections from outside the tree are left out", at->task->t.pid,
			 at->fd, unix_name_text(dump, at->diag), external);
	else if (external)
		dump_blocker(
			dump, at->task, at->fd,
			"%s: %zu connections from outside the tree are not accepted yet; let the program accept them, "
			"or leave them out with --skip-in-flight",
			unix_name_text(dump, at->diag), external);
}

int unix_save_pending(struct dump *dump, const struct unix_seen *at)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	size_t external = 0;
	int err = 0;

	if (!at->entry)
		return 0;
	for (size_t i = 0; i < at->diag->nr_icons && !err; i++) {
		uint32_t ino = at->diag->icons[i];
		const struct unix_seen *client = ino ? record_find(&data->seen, 0, ino) : NULL;

		if (ino && !client)
			external++;
		else
			err = save_client(dump, at, i, client);
	}
	report_external(dump, at, external);
	pending_free((struct pending_connections *)&at->pending);
	return err;
}
