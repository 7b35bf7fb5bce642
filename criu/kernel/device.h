/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device numbers. Most images and most of /proc use the kernel's own packing (major << 20 | minor); stat(2) and images of
 * terminals use that of user space (makedev(3)); tty_nr of /proc/PID/stat uses a third one. Names say which one is meant.
 */
#pragma once
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#define KDEV_MINOR_BITS 20

static inline uint32_t kdev_make(uint32_t major_nr, uint32_t minor_nr)
{
	return major_nr << KDEV_MINOR_BITS | (minor_nr & ((1u << KDEV_MINOR_BITS) - 1));
}

static inline uint32_t kdev_major(uint32_t kdev)
{
	return kdev >> KDEV_MINOR_BITS;
}

static inline uint32_t kdev_minor(uint32_t kdev)
{
	return kdev & ((1u << KDEV_MINOR_BITS) - 1);
}

static inline dev_t kdev_to_dev(uint32_t kdev)
{
	return makedev(kdev_major(kdev), kdev_minor(kdev));
}

static inline uint32_t dev_to_kdev(dev_t dev)
{
	return kdev_make(major(dev), minor(dev));
}

/* new_encode_dev() of the kernel: tty_nr of /proc/PID/stat. */
static inline uint32_t ttynr_to_kdev(uint32_t nr)
{
	return kdev_make((nr & 0xfff00) >> 8, (nr & 0xff) | ((nr >> 12) & 0xfff00));
}
