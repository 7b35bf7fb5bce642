// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/net/tun: a queue of a network device. The device belongs to the network, not to the tree: it has addresses and
 * routes, so it has to survive. A device that would disappear with its last descriptor is made persistent, through our
 * copy of the descriptor, after the tree has been killed; restore attaches to it by name and resets this.
 */
#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
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

/* Restore attaches to it in the network namespace that it runs in. */
static bool tun_is_elsewhere(const struct fd_probe *probe)
{
	_cleanup_close_ int ns = ioctl(probe->local, TUNGETDEVNETNS);
	struct stat device, task;

	return ns >= 0 && !fstat(ns, &device) && !fstatat(probe->task->proc.dir, "ns/net", &task, 0) &&
	       device.st_ino != task.st_ino;
}

static int tun_keep(struct dump *dump, const struct fd_probe *probe, uint32_t id, const char *name)
{
	struct record_table *table = kind_data_of(&dump->arena, dump_kind_data(dump, &tun_kind), sizeof(*table));
	struct tun_kept *kept = table ? record_new(&dump->arena, table, 0, id, sizeof(*kept)) : NULL;

	if (!kept)
		return fail(-ENOMEM, "tun");
	kept->name = name;
	kept->fd = dup_fd_above(probe->local, 3);
	return kept->fd < 0 ? fail(kept->fd, "keep device %s", name) : 0;
}

/* Number of times that the program gets a moment to read pending packets, a tenth of a second in total. */
#define READ_ATTEMPTS 6

static int tun_save_device(struct dump *dump, const struct fd_probe *probe, const struct ifreq *ifr, TunfileEntry *tunf)
{
	unsigned flags = (unsigned short)ifr->ifr_flags;
	struct pollfd look = { .fd = probe->local, .events = POLLIN };

	tunf->netdev = dump_strdup(dump, ifr->ifr_name);
	if (!tunf->netdev)
		return fail(-ENOMEM, "tun");
	tunf->has_netdev_flags = true;
	tunf->netdev_flags = flags;
	tunf->has_detached = tunf->detached = flags & IFF_DETACH_QUEUE;
	if (tun_is_elsewhere(probe)) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: its device %s is in another network namespace: move it back, or close it",
			     probe->link, tunf->netdev);
		return 0;
	}
	tunf->has_sndbuf = !ioctl(probe->local, TUNGETSNDBUF, &tunf->sndbuf) && tunf->sndbuf != INT_MAX;
	if (poll(&look, 1, 0) == 1 && look.revents & POLLIN) {
		if (dump_may_try_again(dump, READ_ATTEMPTS))
			dump_transient_blocker(dump, probe->task, probe->fd, "device %s: there are unread packets",
					       tunf->netdev);
		else
			log_warn("device %s: unread packets are dropped, as networks may", tunf->netdev);
	}
	return flags & IFF_PERSIST || dump_is_check(dump) ? 0 : tun_keep(dump, probe, tunf->id, tunf->netdev);
}

static int tun_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	TunfileEntry *tunf = dump_alloc(dump, sizeof(*tunf));
	struct ifreq ifr = { 0 };
	int err;

	if (!tunf)
		return fail(-ENOMEM, "tun");
	tunfile_entry__init(tunf);
	tunf->id = entry->id;
	tunf->has_flags = true;
	tunf->flags = probe->flags;
	tunf->has_ns_id = probe->task->ns[NS_NET] != NULL;
	tunf->ns_id = tunf->has_ns_id ? probe->task->ns[NS_NET]->id : 0;
	entry->tunf = tunf;
	err = dump_fown(dump, probe, &tunf->fown);
	if (err < 0)
		return err;
	/* EBADFD: it has no device yet. */
	if (ioctl(probe->local, TUNGETIFF, &ifr) < 0)
		return errno == EBADFD ? 0 : fail(-errno, "query the device of %s (TUNGETIFF)", probe->link);
	return tun_save_device(dump, probe, &ifr, tunf);
}

static void tun_saved(struct dump *dump)
{
	const struct record_table *table = *dump_kind_data(dump, &tun_kind);

	for (struct record *rec = table ? table->first : NULL; rec; rec = rec->next) {
		struct tun_kept *kept = (struct tun_kept *)rec;

		if (!dump->opts->leave_running && !dump->opts->leave_stopped && ioctl(kept->fd, TUNSETPERSIST, 1) < 0)
			log_warn("device %s disappears with its program: %s; recreate it before the restore",
				 kept->name, strerror(errno));
		close(kept->fd);
		kept->fd = -1;
	}
}

static void tun_save_undo(struct dump *dump)
{
	const struct record_table *table = *dump_kind_data(dump, &tun_kind);

	for (struct record *rec = table ? table->first : NULL; rec; rec = rec->next) {
		struct tun_kept *kept = (struct tun_kept *)rec;

		if (kept->fd >= 0)
			close(kept->fd);
		kept->fd = -1;
	}
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
	if (!tunf->has_netdev_flags)
		return fail(-ENOTSUP,
			    "files.img: file %u: device %s was saved together with its network namespace: "
			    "not supported",
			    file->id, tunf->netdev);
	return 0;
}

static int tun_attach(int fd, const TunfileEntry *tunf)
{
	unsigned flags = tunf->netdev_flags & TUN_FLAGS_TO_SET;
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
	if (tunf->has_sndbuf && ioctl(fd, TUNSETSNDBUF, &tunf->sndbuf) < 0)
		return fail(-errno, "device %s: send buffer of %d bytes", tunf->netdev, tunf->sndbuf);
	if (tunf->detached) {
		ifr.ifr_flags = IFF_DETACH_QUEUE;
		if (ioctl(fd, TUNSETQUEUE, &ifr) < 0)
			return fail(-errno, "detach a queue of device %s (TUNSETQUEUE)", tunf->netdev);
	}
	return 0;
}

static int tun_open(struct restore *r, struct file *file, const void *state)
{
	const TunfileEntry *tunf = file->entry->tunf;
	unsigned flags = tunf->has_flags ? tunf->flags : O_RDWR;
	_cleanup_close_ int fd = path_open(&r->roots, PATH_ROOT_MOUNT, TUN_PATH, flags & ~(unsigned)FLAGS_OF_CREATION);
	int err;

	if (fd < 0)
		return fail(fd, "open %s", TUN_PATH);
	err = tunf->netdev ? tun_attach(fd, tunf) : 0;
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
		_cleanup_close_ int fd = -1;

		if (!tunf || !tunf->netdev || !file->owner || tunf->netdev_flags & IFF_PERSIST)
			continue;
		fd = restore_copy_fd(r, file);
		if (fd < 0 || ioctl(fd, TUNSETPERSIST, 0) < 0)
			log_warn("device %s will outlive its program: ip link delete %s", tunf->netdev, tunf->netdev);
	}
}

const struct fd_kind tun_kind = {
	.name = "tun",
	.image_type = FD_TYPES__TUNF,
	.claims = tun_claims,
	.save = tun_save,
	.load = tun_load,
	.open = tun_open,
};

const struct run_kind tun_run = {
	.name = "tun",
	.saved = tun_saved,
	.save_undo = tun_save_undo,
	.committed = tun_committed,
};
