// SPDX-License-Identifier: GPL-2.0-only
/* Netlink sockets: protocol, port, groups. Queued messages come from the kernel and cannot be sent again. */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/sockopts.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/network.h"
#include "run/restore.h"
#include "sk-netlink.pb-c.h"
#include "util/log.h"

#define NETLINK_GROUP_WORDS_MAX 64u
#define NETLINK_CLOSE 7u /* the kernel's TCP_CLOSE, TCP_ESTABLISHED: images use them for every socket */
#define NETLINK_CONNECTED 1u

/* include/uapi/linux/netlink.h; all of them are on or off */
static const uint32_t netlink_options[] = {
	NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR,	  NETLINK_NO_ENOBUFS, NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK,
	NETLINK_EXT_ACK, 12 /* NETLINK_GET_STRICT_CHK */,
};

static int number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

static bool netlink_claims(const struct fd_probe *probe)
{
	return S_ISSOCK(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       number(probe->local, SOL_SOCKET, SO_DOMAIN) == AF_NETLINK;
}

/* ---- dump ---- */

static int save_groups(struct dump *dump, int fd, NetlinkSkEntry *entry)
{
	uint32_t words[NETLINK_GROUP_WORDS_MAX] = { 0 };
	socklen_t len = sizeof(words);
	size_t n = ARRAY_SIZE(words);

	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &len) < 0)
		return -errno;
	while (n && !words[n - 1])
		n--;
	entry->groups = dump_alloc(dump, (n + 1) * sizeof(*words));
	if (!entry->groups)
		return -ENOMEM;
	memcpy(entry->groups, words, n * sizeof(*words));
	entry->n_groups = n;
	return 0;
}

static int save_options(struct dump *dump, int fd, NetlinkSkEntry *entry)
{
	entry->option = dump_alloc(dump, sizeof(netlink_options));
	if (!entry->option)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(netlink_options); i++)
		if (number(fd, SOL_NETLINK, netlink_options[i]) > 0)
			entry->option[entry->n_option++] = netlink_options[i];
	return 0;
}

static int save_names(int fd, NetlinkSkEntry *entry)
{
	struct sockaddr_nl own = { 0 }, peer = { 0 };
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

	if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
		return -errno;
	entry->portid = own.nl_pid;
	entry->dst_portid = peer.nl_pid;
	entry->dst_group = peer.nl_groups;
	entry->state = peer.nl_pid || peer.nl_groups ? NETLINK_CONNECTED : NETLINK_CLOSE;
	return 0;
}

/* Not by MSG_PEEK, which would clear an error (ENOBUFS). */
static void check_queue(struct dump *dump, const struct fd_probe *probe, const NetlinkSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local, .events = POLLIN };

	if (poll(&p, 1, 0) <= 0)
		return;
	if (p.revents & POLLERR)
		log_warn(
			"%s: the pending error of a netlink socket (SO_ERROR, usually ENOBUFS: notifications were lost) is lost",
			probe->link);
	if (!(p.revents & POLLIN))
		return;
	if (entry->n_groups)
		log_warn("%s: notifications queued in a netlink socket are lost", probe->link);
	else
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a reply from the kernel is queued in a netlink socket and cannot be sent again; dump "
			     "after the program has read it",
			     probe->link);
}

static int netlink_save(struct dump *dump, const struct fd_probe *probe, FileEntry *file)
{
	NetlinkSkEntry *entry = dump_alloc(dump, sizeof(*entry));
	int err;

	if (!entry)
		return fail(-ENOMEM, "netlink socket");
	netlink_sk_entry__init(entry);
	file->nlsk = entry;
	entry->id = file->id;
	entry->ino = probe->st.st_ino;
	entry->flags = probe->flags;
	entry->has_ns_id = true;
	entry->ns_id = dump_network_id(dump);
	entry->protocol = number(probe->local, SOL_SOCKET, SO_PROTOCOL);
	err = save_names(probe->local, entry);
	if (!err)
		err = save_groups(dump, probe->local, entry);
	if (!err)
		err = save_options(dump, probe->local, entry);
	if (err)
		return fail(err, "netlink socket");
	check_queue(dump, probe, entry);
	err = sockopts_save(dump, probe, &entry->opts);
	return err ? err : dump_fown(dump, probe, &entry->fown);
}

/* ---- restore ---- */

static int netlink_load(struct restore *r, struct file *file, void *state)
{
	const NetlinkSkEntry *entry = file->entry->nlsk;
	int err;

	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a netlink socket, but has no entry for it", file->id);
	if (entry->protocol >= MAX_LINKS || entry->n_groups > NETLINK_GROUP_WORDS_MAX)
		return fail(-EBADMSG,
			    "files.img: file %u: invalid protocol %u with %zu words of groups of a netlink "
			    "socket",
			    file->id, entry->protocol, entry->n_groups);
	for (size_t i = 0; i < entry->n_option; i++)
		if (entry->option[i] > 32)
			return fail(-EBADMSG, "files.img: file %u: unknown option %u of a netlink socket", file->id,
				    entry->option[i]);
	err = restore_set_network(r, file, entry->ns_id);
	return err ? err : sockopts_check(entry->opts);
}

static int join_groups(int fd, const NetlinkSkEntry *entry)
{
	for (uint32_t i = 0; i < entry->n_groups * 32; i++) {
		int group = i + 1;

		if ((entry->groups[i / 32] & 1u << i % 32) &&
		    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return fail(-errno, "join group %d of netlink protocol %u", group, entry->protocol);
	}
	return 0;
}

static int set_options(int fd, const NetlinkSkEntry *entry)
{
	int on = 1;

	for (size_t i = 0; i < entry->n_option; i++)
		if (setsockopt(fd, SOL_NETLINK, entry->option[i], &on, sizeof(on)) < 0)
			return fail(-errno, "set option %u of a netlink socket", entry->option[i]);
	return 0;
}

static int netlink_open(struct restore *r, struct file *file, const void *state)
{
	const NetlinkSkEntry *entry = file->entry->nlsk;
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, entry->protocol);
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_pid = entry->portid };
	struct sockaddr_nl peer = { .nl_family = AF_NETLINK,
				    .nl_pid = entry->dst_portid,
				    .nl_groups = entry->dst_group };
	int err;

	if (fd < 0)
		return fail(-errno, "create a netlink socket of protocol %u", entry->protocol);
	if (entry->portid && bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return fail(-errno, "bind a netlink socket of protocol %u to port %u", entry->protocol, entry->portid);
	err = join_groups(fd, entry);
	if (!err)
		err = set_options(fd, entry);
	if (!err && (entry->dst_portid || entry->dst_group) && connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		err = fail(-errno, "connect a netlink socket to port %u", entry->dst_portid);
	if (!err)
		err = sockopts_restore(fd, entry->opts);
	if (!err)
		err = set_status_flags(r, fd, entry->flags, entry->fown);
	return err ? err : steal_fd(&fd);
}

static void netlink_describe(const FileEntry *entry, struct description *d)
{
	d->connects = true;
	if (entry->nlsk)
		describe_add(d, "netlink, protocol %u, port %u", entry->nlsk->protocol, entry->nlsk->portid);
}

const struct fd_kind netlink_kind = {
	.name = "netlink",
	.image_type = FD_TYPES__NETLINKSK,
	.in_network = true,
	.claims = netlink_claims,
	.save = netlink_save,
	.load = netlink_load,
	.open = netlink_open,
	.describe = netlink_describe,
};
