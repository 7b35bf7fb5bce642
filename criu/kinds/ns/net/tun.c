// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of type tun and tap: they are created and queried through /dev/net/tun, and exist as long as they have a queue (an open
 * file: kinds/fd/tun.c), or are persistent. A namespace is created with its devices; the first file that the images have for one
 * is the queue that it was created with, so that it has a carrier from the beginning. Other files attach to it later.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kinds/kinds.h"
#include "run/path.h"
#include "run/user_ns.h"
#include "tun.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

#define LOWER_UP (1u << 16) /* IFF_LOWER_UP */

struct net_tun *net_tun_of(const struct ns *ns, const char *device)
{
	const struct net_state *state = ns->data;

	for (size_t i = 0; state && i < state->nr_devices; i++)
		if (state->devices[i].tun && str_eq(state->devices[i].entry->name, device))
			return state->devices[i].tun;
	return NULL;
}

int net_tun_load(struct restore *r, struct net_device *device)
{
	const TunLinkEntry *entry = device->entry->tun;

	if (!entry || !(entry->flags & (IFF_TUN | IFF_TAP)))
		return fail(-EBADMSG, "netdev-%u.img: device %s: neither tun nor tap", device->ns->id,
			    device->entry->name);
	device->tun = restore_alloc(r, sizeof(*device->tun));
	if (!device->tun)
		return fail(-ENOMEM, "network devices");
	*device->tun = (struct net_tun){ .flags = entry->flags, .fd = -1 };
	return 0;
}

/* Its number in the tool. */
static int id_here(const struct restore *r, int id, bool group)
{
	const struct ns *user = restore_user_ns(r);
	const UsernsEntry *e = user ? user_ns_of(user)->record : NULL;
	uint32_t outer = (uint32_t)id;

	if (e)
		user_ns_has(group ? e->gid_map : e->uid_map, group ? e->n_gid_map : e->n_uid_map, outer, &outer);
	return (int)outer;
}

/* Of Linux 6.2 and later. */
#define TUN_F_NEWER 0x1e0u

static int set_offload(int fd, unsigned offload)
{
	if (!ioctl(fd, TUNSETOFFLOAD, offload))
		return 0;
	if (errno != EINVAL || !(offload & TUN_F_NEWER))
		return -errno;
	log_warn("this kernel cannot offload all that it did (TUNSETOFFLOAD, 0x%x)", offload);
	return ioctl(fd, TUNSETOFFLOAD, offload & ~TUN_F_NEWER) ? -errno : 0;
}

static int set_properties(struct restore *r, const struct net_device *device, int fd)
{
	const TunLinkEntry *tun = device->entry->tun;
	const unsigned offload = net_features_of_tun(device->ns->data, device->entry);
	const int header = (int)tun->vnethdr, sndbuf = (int)tun->sndbuf, one = 1, none = 0;
	int err;

	if (tun->owner != -1 && ioctl(fd, TUNSETOWNER, id_here(r, tun->owner, false)) < 0)
		return fail(-errno, "its owner, user %d", tun->owner);
	if (tun->group != -1 && ioctl(fd, TUNSETGROUP, id_here(r, tun->group, true)) < 0)
		return fail(-errno, "its group, %d", tun->group);
	if (header != TUN_VNET_HEADER_SIZE && ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return fail(-errno, "a virtio header of %d bytes", header);
	if (sndbuf > 0 && sndbuf != INT_MAX && ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0)
		return fail(-errno, "a send buffer of %d bytes", sndbuf);
	if ((tun->vnet_le && ioctl(fd, TUNSETVNETLE, &one) < 0) || (tun->vnet_be && ioctl(fd, TUNSETVNETBE, &one) < 0))
		return fail(-errno, "the byte order of virtio headers");
	err = offload ? set_offload(fd, offload) : 0;
	if (err)
		return fail(err, "what it offloads (TUNSETOFFLOAD, 0x%x)", offload);
	/* Without a queue: until its descriptors, which have another access mode, are attached. */
	if (((tun->flags & IFF_PERSIST) || !device->tun->claimed_by) && ioctl(fd, TUNSETPERSIST, 1) < 0)
		return fail(-errno, "make it persistent");
	/* Its program has switched it off. */
	if (device->tun->claimed_by && (device->entry->flags & IFF_UP) && !(device->entry->flags & LOWER_UP) &&
	    ioctl(fd, TUNSETCARRIER, &none) < 0)
		return fail(-errno, "its carrier");
	return 0;
}

static int make(struct restore *r, struct net_device *device, int path)
{
	const unsigned index = device->entry->ifindex, flags = device->tun->flags;
	struct ifreq ifr = tun_request(device->entry->name, flags & (TUN_DEVICE_FLAGS | TUN_QUEUE_FLAGS));
	_cleanup_close_ int fd = proc_fd_open(path, O_RDWR);
	int err;
	LOG_SCOPE("device %s", device->entry->name);

	if (fd < 0)
		return fail(fd, "open %s", TUN_PATH);
	if (ioctl(fd, TUNSETIFINDEX, &index) < 0)
		return fail(-errno, "choose index %u (TUNSETIFINDEX)", index);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return fail(-errno, "create it with flags 0x%x (TUNSETIFF)", flags);
	err = set_properties(r, device, fd);
	if (err || !device->tun->claimed_by)
		return err;
	device->tun->fd = move_fd_above(fd, r->service_base);
	if (device->tun->fd < 0)
		return fail(device->tun->fd, "keep it open");
	steal_fd(&fd);
	return 0;
}

int net_tuns_make(struct restore *r, struct net_state *state)
{
	_cleanup_close_ int path = -1;
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++) {
		struct net_device *device = &state->devices[i];

		if (!device->tun)
			continue;
		if (path < 0)
			path = path_open(&PATH_OWN, PATH_ROOT_MOUNT, TUN_PATH, O_PATH);
		err = path < 0 ? fail(path, "open %s", TUN_PATH) : make(r, device, path);
	}
	return err;
}

void net_tuns_close(struct net_state *state)
{
	for (size_t i = 0; i < state->nr_devices; i++)
		if (state->devices[i].tun)
			cleanup_close(&state->devices[i].tun->fd);
}
