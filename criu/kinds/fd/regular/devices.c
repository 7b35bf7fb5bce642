// SPDX-License-Identifier: GPL-2.0-only
/* Character devices: which are stateless, and what state the others keep for their opener. */
#include <string.h>
#include <sys/sysmacros.h>
#include "base/bits.h"
#include "kinds/fd/regular/internal.h"
#include "util/str.h"

/* Stateless: the kernel keeps nothing for the open file but position and flags, so opening it again is enough. */
static const struct {
	unsigned major, minor;
} stateless_devices[] = {
	{ 1, 1 }, /* mem */
	{ 1, 3 }, /* null */
	{ 1, 5 }, /* zero */
	{ 1, 7 }, /* full */
	{ 1, 8 }, /* random */
	{ 1, 9 }, /* urandom */
	{ 1, 11 }, /* kmsg; a reader starts again at its first line */
	{ 10, 144 }, /* nvram */
	{ 10, 183 }, /* hwrng */
	{ 10, 234 }, /* btrfs-control */
	{ 10, 235 }, /* autofs: each call says which mount it is about */
	{ 10, 237 }, /* loop-control */
};

/* By name below DEV_DIR: many have numbers that are assigned at boot. */
#define DEV_DIR "/dev/" /* style: how the kernel begins such a name */
static const struct {
	const char *prefix, *reason;
} stateful_devices[] = {
	{ "cachefiles", "is the cache of a network file system; end its daemon first" },
	{ "cpu_dma_latency", "limits the CPUs' latency while it is open; close it first" },
	{ "cuse", "implements another device (CUSE); end that first" },
	{ "dma_heap", "allocates DMA buffers; close it first" },
	{ "dri/", "has objects and memory on a graphics card; close the display first, or run without acceleration" },
	{ "fuse", "implements a file system (FUSE) that depends on the program; unmount that first" },
	{ "gpiochip", "has lines of a GPIO chip reserved; close it first" },
	{ "hidraw", "has queued reports of an input device; close it first" },
	{ "i2c-", "accesses a chip; close it first" },
	{ "input/", "has queued events of an input device; close it first" },
	{ "kfd", "has objects and memory on a graphics card; end the computation first" },
	{ "kvm", "runs virtual machines (KVM); save them with the virtual machine monitor, then end it" },
	{ "loop", "is a loop device; close it first" },
	{ "mapper/control", "controls the device mapper; close it first" },
	{ "net/", "is a network device; close it first" },
	{ "nvidia", "has objects and memory on a graphics card; end the computation first" },
	{ "nvme", "accesses a disk; close it first" },
	{ "ppp", "is a unit of a PPP connection; end that first" },
	{ "pps", "has queued timestamps of a pulse; close it first" },
	{ "ptp", "is the clock of a network card; close it first" },
	{ "rfkill", "has queued events of radio switches; close it first" },
	{ "rtc", "has alarms of the real-time clock set; close it first" },
	{ "sg", "has SCSI commands in flight; close it first" },
	{ "snd/", "plays or records sound; end that first" },
	{ "tpm", "has sessions of a security chip; close it first" },
	{ "uhid", "implements an input device; close it first" },
	{ "uinput", "implements an input device; close it first" },
	{ "usbmon", "captures USB traffic; end that first" },
	{ "userfaultfd", "creates userfaultfds; close it first" },
	{ "vfio/", "passes a device through to a program; save the virtual machine with its own tools, then end it" },
	{ "vhost-", "moves data of a virtual machine; save that with its own tools, then end it" },
	{ "video", "has buffers of a camera; end the recording first" },
	{ "vsock", "queries the address of a virtual machine; close it first" },
	{ "watchdog", "resets the machine unless it is written to; close it as its driver requires (write V) first" },
	{ "", "may keep state that cannot be saved; close it first" },
};

bool device_is_stateless(dev_t dev)
{
	/* cpu/N/msr and cpu/N/cpuid */
	if (major(dev) == 202 || major(dev) == 203)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(stateless_devices); i++)
		if (major(dev) == stateless_devices[i].major && minor(dev) == stateless_devices[i].minor)
			return true;
	return false;
}

const char *device_reason(const char *path)
{
	const char *name = str_has_prefix(path, DEV_DIR) ? path + strlen(DEV_DIR) : "";
	size_t i = 0;

	while (i < ARRAY_SIZE(stateful_devices) - 1 && !str_has_prefix(name, stateful_devices[i].prefix))
		i++;
	return stateful_devices[i].reason;
}
