// SPDX-License-Identifier: GPL-2.0-only
/* Character devices: which ones keep nothing for their opener, and what the others keep. */
#include <string.h>
#include <sys/sysmacros.h>
#include "base/bits.h"
#include "kinds/fd/regular/internal.h"
#include "util/str.h"

/* Opening them again gives the same as before: nothing in the kernel hangs on the open file but position and flags. */
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
	{ 10, 237 }, /* loop-control */
};

/* By name in DEV_DIR: many have numbers that are given at boot. */
#define DEV_DIR "/dev/" /* style: how the kernel begins such a name */
static const struct {
	const char *prefix, *says;
} stateful_devices[] = {
	{ "autofs", "mounts file systems for others: end the automounter first" },
	{ "cachefiles", "is the cache of a network file system: end its daemon first" },
	{ "cpu_dma_latency", "holds the processors to a latency as long as it is open: close it first" },
	{ "cuse", "serves another device (CUSE): end that first" },
	{ "dma_heap", "hands out DMA buffers: close it first" },
	{ "dri/", "has objects and memory of a graphics card: close the display first, or run without acceleration" },
	{ "fuse", "serves a file system (FUSE) that waits for the program: unmount that first" },
	{ "gpiochip", "holds lines of a GPIO chip: close it first" },
	{ "hidraw", "has reports of an input device waiting: close it first" },
	{ "i2c-", "talks to a chip: close it first" },
	{ "input/", "has events of an input device waiting: close it first" },
	{ "kfd", "has objects and memory of a graphics card: end the computation first" },
	{ "kvm", "makes virtual machines (KVM): save them with the virtual machine monitor's own means, then end it" },
	{ "loop", "is a loop device: close it first" },
	{ "mapper/control", "has devices of the device mapper at hand: close it first" },
	{ "net/", "is a network device: close it first" },
	{ "nvidia", "has objects and memory of a graphics card: end the computation first" },
	{ "nvme", "talks to a disk: close it first" },
	{ "ppp", "is a unit of a PPP connection: end that first" },
	{ "pps", "has times of a pulse waiting: close it first" },
	{ "ptp", "is a clock of a network card: close it first" },
	{ "rfkill", "has events of radio switches waiting: close it first" },
	{ "rtc", "has alarms of the real-time clock set: close it first" },
	{ "sg", "has commands for a SCSI device under way: close it first" },
	{ "snd/", "plays or records sound: end that first" },
	{ "tpm", "has sessions of a security chip: close it first" },
	{ "uhid", "serves an input device: close it first" },
	{ "uinput", "serves an input device: close it first" },
	{ "usbmon", "records what goes over USB: end that first" },
	{ "userfaultfd", "makes userfaultfds: close it first" },
	{ "vfio/", "hands a device to a program: save the virtual machine by its own means, then end it" },
	{ "vhost-", "moves data of a virtual machine: save that by its own means, then end it" },
	{ "video", "has buffers of a camera: end the recording first" },
	{ "vsock", "asks for the address of a virtual machine: close it first" },
	{ "watchdog", "resets the machine when it is not fed: close it in the way it wants (write V) first" },
	{ "", "may keep a state that nobody can save: close it first" },
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

const char *device_says(const char *path)
{
	const char *name = str_has_prefix(path, DEV_DIR) ? path + strlen(DEV_DIR) : "";
	size_t i = 0;

	while (i < ARRAY_SIZE(stateful_devices) - 1 && !str_has_prefix(name, stateful_devices[i].prefix))
		i++;
	return stateful_devices[i].says;
}
