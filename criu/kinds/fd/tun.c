// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/net/tun: a queue of a network device. The device belongs to the network, not to the tree: it has addresses and
 * routes, so it has to survive. A device that would disappear with its last descriptor is made persistent, through our
 * copy of the descriptor, after the tree has been killed; restore attaches to it by name and resets this.
 */
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "kernel/net_ns.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "netlink/route.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/network.h"
#include "run/path.h"
#include "run/restore.h"
#include "tun.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

#define TUN_PATH "/dev/net/tun" /* style: the conventional path, in the tree */
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif
/* Flags from TUNGETIFF that TUNSETIFF accepts. */
#define TUN_FLAGS_TO_SET                                                                                        \
	((unsigned)(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_NAPI | \
		    IFF_NAPI_FRAGS))

/* ---- dump ------------------------------------------------------------------------------- */

/* A device that exists only as long as it has a descriptor. */
struct tun_kept {
	struct record record; /* of the table: 0, file id */
	int fd; /* our copy */
	const char *name;
};

static bool tun_claims(const struct fd_probe *probe)
{
	return S_ISCHR(probe->st.st_mode) && probe->st.st_rdev == makedev(10, 200) && !(probe->flags & O_PATH);
}

/* A device that a descriptor of the tree is attached to. */
struct tun_attached {
	struct record record; /* of the table: inode of the namespace, file id */
	const char *name;
	int local;
};

struct tun_dump {
	struct record_table kept, attached;
};

static struct tun_dump *tun_dump_of(struct dump *dump)
{
	return kind_data_of(&dump->arena, dump_kind_data(dump, &tun_kind), sizeof(struct tun_dump));
}

/*
 * The network namespace of the device, or, without one, that in which it would be created. NULL: no process of the tree is in it; a
 * kernel that cannot tell: that of the task.
 */
static const struct ns *tun_network_of(struct dump *dump, const struct fd_probe *probe, bool attached)
{
	_cleanup_close_ int fd = attached ? ioctl(probe->local, TUNGETDEVNETNS) : net_ns_of_socket(probe->local);
	const struct ns *ns;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return probe->task->ns[NS_NET];
	ns_for_each(ns, &dump->namespaces, NS_NET)
		if (ns->ino == st.st_ino)
			return ns;
	return NULL;
}

static int tun_keep(struct dump *dump, const struct fd_probe *probe, uint32_t id, const char *name)
{
	struct tun_dump *tuns = tun_dump_of(dump);
	struct tun_kept *kept = tuns ? record_new(&dump->arena, &tuns->kept, 0, id, sizeof(*kept)) : NULL;

	if (!kept)
		return fail(-ENOMEM, "tun");
	kept->name = name;
	kept->fd = dup_fd_above(probe->local, 3);
	return kept->fd < 0 ? fail(kept->fd, "keep device %s", name) : 0;
}

/* For the images of the device, which are written later. */
static int tun_note(struct dump *dump, const struct fd_probe *probe, const struct ns *ns, const TunfileEntry *tunf)
{
	struct tun_dump *tuns = tun_dump_of(dump);
	struct tun_attached *attached =
		tuns ? record_new(&dump->arena, &tuns->attached, ns->ino, tunf->id, sizeof(*attached)) : NULL;

	if (!attached)
		return fail(-ENOMEM, "tun");
	attached->name = tunf->netdev;
	attached->local = dup_fd_above(probe->local, 3);
	return attached->local < 0 ? fail(attached->local, "keep device %s", tunf->netdev) : 0;
}

struct tun_queues tun_queues_of(struct dump *dump, const struct ns *ns, const char *device)
{
	const struct tun_dump *tuns = *dump_kind_data(dump, &tun_kind);
	struct tun_queues queues = { .local = -1 };

	for (struct record *rec = tuns ? tuns->attached.first : NULL; rec; rec = rec->next) {
		const struct tun_attached *attached = (struct tun_attached *)rec;

		if (rec->a != ns->ino || strcmp(attached->name, device))
			continue;
		queues.nr++;
		queues.local = attached->local;
	}
	return queues;
}

static int tun_see_pi(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *info = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	const struct nlattr *pi = netlink_nested(netlink_nested(info, IFLA_INFO_DATA), IFLA_TUN_PI);

	if (pi)
		*(int *)arg = nla_get_u8((struct nlattr *)pi);
	return 1;
}

/*
 * Do packets have a header (struct tun_pi)? TUNGETIFF reports IFF_NOFILTER, which is the same bit as IFF_NO_PI. < 0: the kernel does
 * not tell.
 */
static int tun_ask_pi(const char *device)
{
	_cleanup_netlink_ struct nl_sock *route = NULL;
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST);
	int pi = -ENODATA, err = route_open(&route);
	const struct netlink_answer answer = { .type = RTM_NEWLINK, .fn = tun_see_pi, .arg = &pi };

	if (!err && (!msg || nlmsg_append(msg, (void *)&head, sizeof(head), NLMSG_ALIGNTO) ||
		     nla_put_string(msg, IFLA_IFNAME, device)))
		err = -ENOMEM;
	if (!err)
		err = netlink_send(route, msg);
	nlmsg_free(msg);
	if (!err)
		err = netlink_receive(route, &answer);
	return err < 0 ? err : pi;
}

static int tun_correct_flags(struct dump *dump, const struct ns *ns, const char *device, unsigned *flags)
{
	const struct ns *was = dump_network(dump);
	int left, pi, err = dump_enter_network(dump, ns);

	if (err)
		return err;
	pi = tun_ask_pi(device);
	left = dump_enter_network(dump, was);
	if (pi == -EPROTONOSUPPORT || pi == -ENODATA)
		pi = !(*flags & IFF_NO_PI);
	if (pi < 0)
		return fail(pi, "query device %s", device);
	*flags = pi ? *flags & ~(unsigned)IFF_NO_PI : *flags | IFF_NO_PI;
	return left;
}

/* Number of times that the program gets a moment to read pending packets, a tenth of a second in total. */
#define READ_ATTEMPTS 6

static int tun_save_device(struct dump *dump, const struct fd_probe *probe, const struct ifreq *ifr, TunfileEntry *tunf)
{
	const struct ns *ns = tun_network_of(dump, probe, true);
	unsigned flags = (unsigned short)ifr->ifr_flags;
	struct pollfd look = { .fd = probe->local, .events = POLLIN };
	int err;

	tunf->netdev = dump_strdup(dump, ifr->ifr_name);
	if (!tunf->netdev)
		return fail(-ENOMEM, "tun");
	if (!ns) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: its device %s is in a network namespace that no process of the tree is in: move it back, or close it",
			probe->link, tunf->netdev);
		return 0;
	}
	err = tun_correct_flags(dump, ns, tunf->netdev, &flags);
	if (err)
		return err;
	tunf->has_netdev_flags = true;
	tunf->netdev_flags = flags;
	tunf->has_detached = tunf->detached = flags & IFF_DETACH_QUEUE;
	tunf->has_sndbuf = !ioctl(probe->local, TUNGETSNDBUF, &tunf->sndbuf) && tunf->sndbuf != INT_MAX;
	if (poll(&look, 1, 0) == 1 && look.revents & POLLIN) {
		if (dump_may_try_again(dump, READ_ATTEMPTS))
			dump_transient_blocker(dump, probe->task, probe->fd, "device %s: there are unread packets",
					       tunf->netdev);
		else
			log_warn("device %s: unread packets are dropped, as networks may", tunf->netdev);
	}
	if (!ns->own && !ns->external)
		return tun_note(dump, probe, ns, tunf);
	return flags & IFF_PERSIST || dump_is_check(dump) ? 0 : tun_keep(dump, probe, tunf->id, tunf->netdev);
}

static int tun_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	TunfileEntry *tunf = dump_alloc(dump, sizeof(*tunf));
	struct ifreq ifr = { 0 };
	const struct ns *ns;
	bool attached;
	int err;

	if (!tunf)
		return fail(-ENOMEM, "tun");
	tunfile_entry__init(tunf);
	tunf->id = entry->id;
	tunf->has_flags = true;
	tunf->flags = probe->flags;
	entry->tunf = tunf;
	err = dump_fown(dump, probe, &tunf->fown);
	if (err < 0)
		return err;
	/* EBADFD: it has no device yet. */
	attached = !ioctl(probe->local, TUNGETIFF, &ifr);
	if (!attached && errno != EBADFD)
		return fail(-errno, "query the device of %s (TUNGETIFF)", probe->link);
	ns = tun_network_of(dump, probe, attached);
	tunf->has_ns_id = ns != NULL;
	tunf->ns_id = ns ? ns->id : 0;
	if (!ns && !attached)
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: it belongs to a network namespace that no process of the tree is in: close it",
			     probe->link);
	if (!attached)
		return 0;
	return tun_save_device(dump, probe, &ifr, tunf);
}

static void tun_close_attached(struct tun_dump *tuns)
{
	for (struct record *rec = tuns->attached.first; rec; rec = rec->next)
		cleanup_close(&((struct tun_attached *)rec)->local);
}

static void tun_saved(struct dump *dump)
{
	struct tun_dump *tuns = *dump_kind_data(dump, &tun_kind);

	for (struct record *rec = tuns ? tuns->kept.first : NULL; rec; rec = rec->next) {
		struct tun_kept *kept = (struct tun_kept *)rec;

		if (!dump->opts->leave_running && !dump->opts->leave_stopped && ioctl(kept->fd, TUNSETPERSIST, 1) < 0)
			log_warn("device %s disappears with its program: %s; recreate it before the restore",
				 kept->name, strerror(errno));
		close(kept->fd);
		kept->fd = -1;
	}
	if (tuns)
		tun_close_attached(tuns);
}

static void tun_save_undo(struct dump *dump)
{
	struct tun_dump *tuns = *dump_kind_data(dump, &tun_kind);

	for (struct record *rec = tuns ? tuns->kept.first : NULL; rec; rec = rec->next)
		cleanup_close(&((struct tun_kept *)rec)->fd);
	if (tuns)
		tun_close_attached(tuns);
}

/* ---- restore ---------------------------------------------------------------------------- */

static int tun_load(struct restore *r, struct file *file, void *state)
{
	const TunfileEntry *tunf = file->entry->tunf;
	int err;

	if (!tunf)
		return fail(-EBADMSG, "files.img: file %u: tun descriptor without a record", file->id);
	err = restore_set_network(r, file, tunf->ns_id);
	if (err || !tunf->netdev)
		return err;
	if (!tunf->netdev[0] || strlen(tunf->netdev) >= IFNAMSIZ || strchr(tunf->netdev, '%'))
		return fail(-EBADMSG, "files.img: file %u: invalid device name %s", file->id, tunf->netdev);
	return 0;
}

struct tun_state {
	unsigned flags; /* of the device */
	struct net_tun *claimed; /* created with its namespace, with a queue that is this file */
};

/* With its access mode, one has been opened already. */
static int tun_link(struct restore *r, struct file *file, void *state)
{
	const TunfileEntry *tunf = file->entry->tunf;
	struct net_tun *device = tunf->netdev ? net_tun_of(file->network, tunf->netdev) : NULL;
	struct tun_state *tun = state;

	if (tunf->netdev && !tunf->has_netdev_flags && !device)
		return fail(-EBADMSG, "files.img: file %u: netdev-%u.img does not have its device %s", file->id,
			    file->network->id, tunf->netdev);
	tun->flags = tunf->has_netdev_flags ? tunf->netdev_flags : device ? device->flags : 0;
	if (!device || device->claimed_by || (tunf->has_flags && (tunf->flags & O_ACCMODE) != O_RDWR))
		return 0;
	device->claimed_by = file;
	device->flags = tun->flags;
	tun->claimed = device;
	return 0;
}

static int tun_attach_to(int fd, const TunfileEntry *tunf, unsigned flags)
{
	struct ifreq ifr = { 0 };

	/* TUNSETIFF would create a device of that name without addresses. */
	if (!if_nametoindex(tunf->netdev))
		return fail(
			-ENODEV,
			"device %s no longer exists: create it, with its addresses (ip tuntap add dev %s mode %s%s)",
			tunf->netdev, tunf->netdev, flags & IFF_TAP ? "tap" : "tun",
			flags & IFF_MULTI_QUEUE ? " multi_queue" : "");
	memcpy(ifr.ifr_name, tunf->netdev, strlen(tunf->netdev));
	ifr.ifr_flags = (short)flags;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return fail(-errno, "attach to device %s with flags 0x%x (TUNSETIFF)%s", tunf->netdev, flags,
			    errno == EBUSY ? ": another program has it open" : "");
	return 0;
}

static int tun_attach(int fd, const TunfileEntry *tunf, const struct tun_state *tun)
{
	struct ifreq ifr = { .ifr_flags = IFF_DETACH_QUEUE };
	int err = tun->claimed ? 0 : tun_attach_to(fd, tunf, tun->flags & TUN_FLAGS_TO_SET);

	if (err)
		return err;
	if (tunf->has_sndbuf && ioctl(fd, TUNSETSNDBUF, &tunf->sndbuf) < 0)
		return fail(-errno, "device %s: send buffer of %d bytes", tunf->netdev, tunf->sndbuf);
	if (tunf->detached && ioctl(fd, TUNSETQUEUE, &ifr) < 0)
		return fail(-errno, "detach a queue of device %s (TUNSETQUEUE)", tunf->netdev);
	return 0;
}

static int tun_open(struct restore *r, struct file *file, const void *state)
{
	const TunfileEntry *tunf = file->entry->tunf;
	const struct tun_state *tun = state;
	unsigned flags = tunf->has_flags ? tunf->flags : O_RDWR;
	_cleanup_close_ int fd =
		tun->claimed ? dup_fd_above(tun->claimed->fd, 0) :
			       path_open(&r->roots, PATH_ROOT_MOUNT, TUN_PATH, flags & ~(unsigned)FLAGS_OF_CREATION);
	int err;

	if (fd < 0)
		return fail(fd, "open %s", TUN_PATH);
	err = tunf->netdev ? tun_attach(fd, tunf, tun) : 0;
	if (err >= 0)
		err = set_status_flags(r, fd, flags, tunf->fown);
	return err < 0 ? err : steal_fd(&fd);
}

/* From now on it disappears with its program again. */
static void tun_committed(struct restore *r)
{
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		const struct file *file = &r->plan.files[i];
		const TunfileEntry *tunf = file->kind == &tun_kind ? file->entry->tunf : NULL;
		const struct net_tun *device = tunf && tunf->netdev ? net_tun_of(file->network, tunf->netdev) : NULL;
		_cleanup_close_ int fd = -1;

		if (!tunf || !tunf->netdev || !file->owner || tunf->netdev_flags & IFF_PERSIST ||
		    (device && device->claimed_by))
			continue;
		fd = restore_copy_fd(r, file);
		if (fd < 0 || ioctl(fd, TUNSETPERSIST, 0) < 0)
			log_warn("device %s will outlive its program: ip link delete %s", tunf->netdev, tunf->netdev);
	}
}

static void tun_describe(const FileEntry *entry, struct description *d)
{
	if (entry->tunf && entry->tunf->netdev)
		describe_add(d, "tun device %s", entry->tunf->netdev);
}

const struct fd_kind tun_kind = {
	.name = "tun",
	.image_type = FD_TYPES__TUNF,
	.claims = tun_claims,
	.save = tun_save,
	.state_size = sizeof(struct tun_state),
	.load = tun_load,
	.link = tun_link,
	.open = tun_open,
	.describe = tun_describe,
};

const struct run_kind tun_run = {
	.name = "tun",
	.saved = tun_saved,
	.save_undo = tun_save_undo,
	.committed = tun_committed,
};
