// SPDX-License-Identifier: GPL-2.0-only
/* Packet sockets: raw frames of devices. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "netlink/packet_diag.h"
#include "kmem/sock_memory.h"
#include "kinds/fd/packet/rings.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/sockopts.h"
#include "kinds/kinds.h"
#include "packet-sock.pb-c.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/network.h"
#include "run/restore.h"
#include "util/log.h"

#define PACKET_NO_FANOUT UINT32_MAX
#define PACKET_VNET_HDR_SZ_ 24 /* newer than our headers */
#define VNET_HDR_USUAL 10 /* the size that PACKET_VNET_HDR sets */

/* Options that CRIU does not save. */
static const uint32_t more_options[] = { PACKET_TX_HAS_OFF, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING,
					 PACKET_VNET_HDR_SZ_ };

static int number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

static uint32_t option(int fd, int name)
{
	int value = number(fd, SOL_PACKET, name);

	return value < 0 ? 0 : value;
}

static bool packet_claims(const struct fd_probe *probe)
{
	return S_ISSOCK(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       number(probe->local, SOL_SOCKET, SO_DOMAIN) == AF_PACKET;
}

/* ---- dump ---- */

static int save_members(struct dump *dump, const struct packet_diag_socket *diag, PacketSockEntry *entry)
{
	entry->mclist = dump_alloc(dump, (diag->nr_members + 1) * sizeof(*entry->mclist));
	if (!entry->mclist)
		return -ENOMEM;
	for (size_t i = 0; i < diag->nr_members; i++) {
		const struct packet_diag_member *m = &diag->members[i];
		PacketMclist *mc = dump_alloc(dump, sizeof(*mc));

		if (!mc)
			return -ENOMEM;
		packet_mclist__init(mc);
		mc->index = m->interface;
		mc->type = m->type;
		mc->addr.len = m->len;
		mc->addr.data = dump_alloc(dump, m->len + 1);
		if (!mc->addr.data)
			return -ENOMEM;
		memcpy(mc->addr.data, m->address, m->len);
		entry->mclist[entry->n_mclist++] = mc;
	}
	return 0;
}

static int save_diag(struct dump *dump, const struct fd_probe *probe, PacketSockEntry *entry)
{
	struct packet_diag_socket diag;
	int err = packet_diag_read(probe->st.st_ino, &diag);

	if (err)
		return fail(err, "query a packet socket (sock_diag)");
	if (entry->type == SOCK_PACKET) {
		entry->protocol = htons(diag.protocol);
		entry->ifindex = diag.interface;
	}
	if (diag.has_fanout &&
	    ((diag.fanout >> 16 & 0xff) == PACKET_FANOUT_CBPF || (diag.fanout >> 16 & 0xff) == PACKET_FANOUT_EBPF))
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: the packets of its fanout group are distributed by a BPF program, which the kernel does "
			"not return; leave the group (PACKET_FANOUT) first",
			probe->link);
	if (diag.has_fanout) {
		entry->has_fanout = true;
		entry->fanout = diag.fanout;
	}
	err = save_members(dump, &diag, entry);
	return err ? fail(err, "memberships of a packet socket") : packet_rings_save(dump, probe, &diag, entry);
}

/* Its device was taken down, or was down when the socket was bound. Querying the error would clear it. */
static void save_error(struct dump *dump, const struct fd_probe *probe, PacketSockEntry *entry)
{
	struct pollfd p = { .fd = probe->local };
	struct sock_memory_reader *reader = NULL;
	struct sock_memory m = { 0 };

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		return;
	if (!rights_may(&dump->rights, RIGHT_READ_KERNEL_MEMORY)) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a packet socket with a pending error, which can only be read from kernel memory (%s): let the "
			"program query it (SO_ERROR), or run criu as root",
			probe->link, rights_text(RIGHT_READ_KERNEL_MEMORY));
		return;
	}
	if (!sock_memory_open(&reader))
		sock_memory_read(reader, probe->local, false, false, &m);
	sock_memory_close(reader);
	entry->has_down = entry->down = m.error == ENETDOWN;
	if (!entry->down)
		log_warn("%s: a pending error or timestamp (SO_ERROR, MSG_ERRQUEUE) is lost", probe->link);
}

static int save_more(struct dump *dump, int fd, PacketSockEntry *entry)
{
	entry->more = dump_alloc(dump, ARRAY_SIZE(more_options) * sizeof(*entry->more));
	if (!entry->more)
		return fail(-ENOMEM, "packet socket");
	for (size_t i = 0; i < ARRAY_SIZE(more_options); i++) {
		uint32_t value = option(fd, more_options[i]);
		SkNumberEntry *more;

		if (!value || (more_options[i] == PACKET_VNET_HDR_SZ_ && value == VNET_HDR_USUAL))
			continue;
		more = dump_alloc(dump, sizeof(*more));
		if (!more)
			return fail(-ENOMEM, "packet socket");
		sk_number_entry__init(more);
		more->name = more_options[i];
		more->value = (int32_t)value;
		entry->more[entry->n_more++] = more;
	}
	return 0;
}

static int packet_save(struct dump *dump, const struct fd_probe *probe, FileEntry *file)
{
	PacketSockEntry *entry = dump_alloc(dump, sizeof(*entry));
	struct sockaddr_ll own = { 0 };
	socklen_t len = sizeof(own);
	int fd = probe->local, err;

	if (!entry)
		return fail(-ENOMEM, "packet socket");
	packet_sock_entry__init(entry);
	file->psk = entry;
	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return fail(-errno, "address of a packet socket");
	entry->id = file->id;
	entry->type = number(fd, SOL_SOCKET, SO_TYPE);
	/* The address of a SOCK_PACKET is a device name: sock_diag reports the rest. */
	if (entry->type != SOCK_PACKET) {
		entry->protocol = own.sll_protocol;
		entry->ifindex = own.sll_ifindex;
	}
	entry->flags = probe->flags;
	entry->has_ns_id = true;
	entry->ns_id = dump_network_id(dump);
	entry->version = option(fd, PACKET_VERSION);
	entry->reserve = option(fd, PACKET_RESERVE);
	entry->aux_data = option(fd, PACKET_AUXDATA);
	entry->orig_dev = option(fd, PACKET_ORIGDEV);
	entry->vnet_hdr = option(fd, PACKET_VNET_HDR);
	entry->loss = option(fd, PACKET_LOSS);
	entry->timestamp = option(fd, PACKET_TIMESTAMP);
	entry->copy_thresh = option(fd, PACKET_COPY_THRESH);
	save_error(dump, probe, entry);
	err = save_diag(dump, probe, entry);
	if (!err)
		err = save_more(dump, fd, entry);
	if (!err)
		err = sockopts_save(dump, probe, &entry->opts);
	return err ? err : dump_fown(dump, probe, &entry->fown);
}

/* ---- restore ---- */

static bool is_more(uint32_t name)
{
	for (size_t i = 0; i < ARRAY_SIZE(more_options); i++)
		if (more_options[i] == name)
			return true;
	return false;
}

static int packet_load(struct restore *r, struct file *file, void *state)
{
	const PacketSockEntry *entry = file->entry->psk;
	int err;

	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a packet socket, but has no entry for it", file->id);
	if ((entry->type != SOCK_RAW && entry->type != SOCK_DGRAM && entry->type != SOCK_PACKET) ||
	    entry->protocol > UINT16_MAX || entry->ifindex > INT32_MAX)
		return fail(-EBADMSG, "files.img: file %u: invalid type %u and protocol %u of a packet socket",
			    file->id, entry->type, entry->protocol);
	for (size_t i = 0; i < entry->n_mclist; i++)
		if (entry->mclist[i]->addr.len > 8)
			return fail(-EBADMSG, "files.img: file %u: invalid address of %zu bytes", file->id,
				    entry->mclist[i]->addr.len);
	for (size_t i = 0; i < entry->n_more; i++)
		if (!is_more(entry->more[i]->name))
			return fail(-EBADMSG, "files.img: file %u: unknown option %u of a packet socket", file->id,
				    entry->more[i]->name);
	err = restore_set_network(r, file, entry->ns_id);
	if (!err)
		err = packet_rings_check(file, entry);
	return err ? err : sockopts_check(entry->opts);
}

static int set_option(int fd, int name, int value)
{
	if (value && setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)) < 0)
		return fail(-errno, "set option %d of a packet socket to %d", name, value);
	return 0;
}

static int set_options(int fd, const PacketSockEntry *entry)
{
	const struct {
		int name;
		uint32_t value;
	} options[] = {
		{ PACKET_VERSION, entry->version },	{ PACKET_RESERVE, entry->reserve },
		{ PACKET_AUXDATA, entry->aux_data },	{ PACKET_ORIGDEV, entry->orig_dev },
		{ PACKET_VNET_HDR, entry->vnet_hdr },	{ PACKET_LOSS, entry->loss },
		{ PACKET_TIMESTAMP, entry->timestamp }, { PACKET_COPY_THRESH, entry->copy_thresh },
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(options); i++)
		err = set_option(fd, options[i].name, options[i].value);
	for (size_t i = 0; !err && i < entry->n_more; i++)
		err = set_option(fd, (int)entry->more[i]->name, entry->more[i]->value);
	return err;
}

static int join(int fd, const PacketMclist *mc)
{
	struct packet_mreq req = { .mr_ifindex = mc->index, .mr_type = mc->type, .mr_alen = mc->addr.len };

	if (mc->addr.len)
		memcpy(req.mr_address, mc->addr.data, mc->addr.len);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &req, sizeof(req)) < 0)
		return fail(-errno, "join a group with a packet socket on device %u", mc->index);
	return 0;
}

static int bind_by_index(int fd, const PacketSockEntry *entry)
{
	struct sockaddr_ll own = { .sll_family = AF_PACKET,
				   .sll_protocol = entry->protocol,
				   .sll_ifindex = entry->ifindex };

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return fail(-errno, "bind a packet socket to device %u, protocol %#x", entry->ifindex,
			    ntohs(entry->protocol));
	return 0;
}

/* Packets received from all devices before bind(2) are not meant for the program. */
static int bind_by_name(int fd, const PacketSockEntry *entry)
{
	struct sockaddr own = { .sa_family = AF_PACKET };
	char device[IF_NAMESIZE] = "", byte;

	if (!if_indextoname(entry->ifindex, device))
		return fail(-errno, "bind a packet socket (SOCK_PACKET): there is no device %u", entry->ifindex);
	memcpy(own.sa_data, device, MIN_OF(sizeof(own.sa_data), sizeof(device)));
	if (bind(fd, &own, sizeof(own)) < 0)
		return fail(-errno, "bind a packet socket (SOCK_PACKET) to device %s", device);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
	return 0;
}

/* bind(2) to a device that is down sets the error as well. */
static void restore_error(int fd, const PacketSockEntry *entry)
{
	struct pollfd p = { .fd = fd };

	if (!entry->down)
		number(fd, SOL_SOCKET, SO_ERROR);
	else if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		log_warn("the pending error of a packet socket (ENETDOWN) is lost: device %u is up", entry->ifindex);
}

static int packet_open(struct restore *r, struct file *file, const void *state)
{
	const PacketSockEntry *entry = file->entry->psk;
	bool by_name = entry->type == SOCK_PACKET;
	/*
	 * Without a protocol: no frame is received before everything is set. Only socket(2) can set the protocol of a
	 * SOCK_PACKET.
	 */
	_cleanup_close_ int fd = socket(AF_PACKET, entry->type | SOCK_CLOEXEC, by_name ? (int)entry->protocol : 0);
	int err;

	if (fd < 0)
		return fail(-errno, "create a packet socket");
	err = set_options(fd, entry);
	if (!err)
		err = packet_rings_make(fd, entry);
	for (size_t i = 0; !err && i < entry->n_mclist; i++)
		err = join(fd, entry->mclist[i]);
	if (!err)
		err = sockopts_restore(fd, entry->opts);
	if (!err && entry->ifindex && by_name)
		err = bind_by_name(fd, entry);
	else if (!err && (entry->protocol || entry->ifindex) && !by_name)
		err = bind_by_index(fd, entry);
	if (!err)
		restore_error(fd, entry);
	if (!err && entry->has_fanout && entry->fanout != PACKET_NO_FANOUT)
		err = set_option(fd, PACKET_FANOUT, entry->fanout);
	if (!err)
		err = set_status_flags(r, fd, entry->flags, entry->fown);
	return err ? err : steal_fd(&fd);
}

static uint64_t packet_mapping_size(const struct file *file)
{
	return ring_size(file->entry->psk->rx_ring) + ring_size(file->entry->psk->tx_ring);
}

static void packet_describe(const FileEntry *entry, struct description *d)
{
	d->connects = true;
	if (entry->psk)
		describe_add(d, "packet socket, protocol %#x, interface %u", entry->psk->protocol, entry->psk->ifindex);
}

const struct fd_kind packet_kind = {
	.name = "packet",
	.image_type = FD_TYPES__PACKETSK,
	.in_network = true,
	.maps_itself = true,
	.restore_rights = BIT(RIGHT_RAW_SOCKETS),
	.mapping_size = packet_mapping_size,
	.claims = packet_claims,
	.save = packet_save,
	.load = packet_load,
	.open = packet_open,
	.describe = packet_describe,
};

const struct run_kind packet_run = {
	.name = "packet",
	.save_end = packet_rings_save_end,
};
