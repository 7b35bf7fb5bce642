// SPDX-License-Identifier: GPL-2.0-only
/* Properties of tun and tap devices, as rtnetlink and their queues report them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attributes.h"
#include "base/cleanup.h"
#include "kinds/kinds.h"
#include "run/path.h"
#include "tun.h"

#define TUN_WITHOUT_CARRIER 0x0040 /* IFF_NO_CARRIER; newer than some headers */

static unsigned number_in(const struct nlattr *data, int type, unsigned missing)
{
	const struct nlattr *attr = netlink_nested(data, type);

	if (!attr)
		return missing;
	return nla_len(attr) >= 4 ? nla_get_u32((struct nlattr *)attr) : nla_get_u8((struct nlattr *)attr);
}

static unsigned flags_in(const struct nlattr *data)
{
	unsigned flags = number_in(data, IFLA_TUN_TYPE, IFF_TUN);

	if (!number_in(data, IFLA_TUN_PI, 0))
		flags |= IFF_NO_PI;
	if (number_in(data, IFLA_TUN_VNET_HDR, 0))
		flags |= IFF_VNET_HDR;
	if (number_in(data, IFLA_TUN_PERSIST, 0))
		flags |= IFF_PERSIST;
	if (number_in(data, IFLA_TUN_MULTI_QUEUE, 0))
		flags |= IFF_MULTI_QUEUE;
	return flags;
}

/*
 * A queue of our own, for a device without any: it gets no carrier, and nothing else changes. -ENODEV: that is not possible, or not
 * allowed as the tree runs. -EBUSY: it has one.
 */
static int attach(struct dump *dump, const NetDeviceEntry *entry)
{
	struct ifreq ifr = tun_request(entry->name, (entry->tun->flags & TUN_DEVICE_FLAGS) | TUN_WITHOUT_CARRIER);
	unsigned known = 0;
	int err;
	int fd = dump_is_check(dump) ? -ENODEV : path_open(&PATH_OWN, PATH_ROOT_MOUNT, TUN_PATH, O_RDWR);

	if (fd < 0)
		return -ENODEV;
	if (!ioctl(fd, TUNGETFEATURES, &known) && (known & TUN_WITHOUT_CARRIER) && !ioctl(fd, TUNSETIFF, &ifr))
		return fd;
	err = errno == EBUSY ? -EBUSY : -ENODEV;
	close(fd);
	return err;
}

static void query(int queue, TunLinkEntry *tun)
{
	int value;

	if (!ioctl(queue, TUNGETVNETHDRSZ, &value))
		tun->vnethdr = (uint32_t)value;
	if (!ioctl(queue, TUNGETSNDBUF, &value))
		tun->sndbuf = (uint32_t)value;
	tun->has_vnet_le = !ioctl(queue, TUNGETVNETLE, &value) && value;
	tun->vnet_le = tun->has_vnet_le;
	tun->has_vnet_be = !ioctl(queue, TUNGETVNETBE, &value) && value;
	tun->vnet_be = tun->has_vnet_be;
}

/* Only tap devices; also after TUNDETACHFILTER. */
static bool is_filtered(int queue)
{
	struct sock_fprog filter = { 0 };

	return !ioctl(queue, TUNGETFILTER, &filter) && filter.len;
}

/* Only reported of those that may have many. */
static unsigned count_queues(const struct nlattr *data, unsigned missing)
{
	return number_in(data, IFLA_TUN_NUM_QUEUES, missing) + number_in(data, IFLA_TUN_NUM_DISABLED_QUEUES, 0);
}

const char *net_tun_save(struct dump *dump, const struct ns *ns, const struct nlattr *linkinfo, NetDeviceEntry *entry)
{
	const struct nlattr *data = netlink_nested(linkinfo, IFLA_INFO_DATA);
	const struct tun_queues queues = tun_queues_of(dump, ns, entry->name);
	unsigned owner = number_in(data, IFLA_TUN_OWNER, UINT_MAX), group = number_in(data, IFLA_TUN_GROUP, UINT_MAX);
	_cleanup_close_ int own = -1;
	TunLinkEntry *tun = dump_alloc(dump, sizeof(*tun));

	if (!data || !tun)
		return "the kernel does not report its properties";
	tun_link_entry__init(tun);
	entry->tun = tun;
	tun->flags = flags_in(data);
	tun->owner = owner == UINT_MAX ? -1 : (int)dump_uid_of(dump, owner);
	tun->group = group == UINT_MAX ? -1 : (int)dump_gid_of(dump, group);
	tun->vnethdr = TUN_VNET_HEADER_SIZE;
	tun->sndbuf = INT_MAX;
	own = queues.nr ? -ENODEV : attach(dump, entry);
	if (own == -EBUSY || (!queues.nr && !(tun->flags & IFF_PERSIST)) || count_queues(data, queues.nr) != queues.nr)
		return "a process outside of the tree has a descriptor of it";
	if (queues.nr || own >= 0)
		query(queues.nr ? queues.local : own, tun);
	return queues.nr && is_filtered(queues.local) ? "it has a BPF filter (TUNATTACHFILTER)" : NULL;
}
