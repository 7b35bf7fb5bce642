/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices of type tun and tap: constants for tun_save.c and tun.c. */
#pragma once
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>

#define TUN_PATH "/dev/net/tun" /* style: the conventional path, of the tool */
/* For TUNSETIFF: flags of the device, others are those of a queue. */
#define TUN_DEVICE_FLAGS ((unsigned)(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR | IFF_MULTI_QUEUE))
#define TUN_QUEUE_FLAGS ((unsigned)(IFF_NAPI | IFF_NAPI_FRAGS))
#define TUN_VNET_HEADER_SIZE 10 /* of a new device */

static inline struct ifreq tun_request(const char *name, unsigned flags)
{
	struct ifreq ifr = { .ifr_flags = (short)flags };

	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	return ifr;
}
