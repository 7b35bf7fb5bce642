// SPDX-License-Identifier: GPL-2.0-only
#include "run/caps.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/capability.h>
#include "base/bits.h"

/* Capacity of a set. */
enum { CAPS_MAX = 64 };

static uint64_t get_flag(cap_t caps, cap_flag_t flag)
{
	uint64_t set = 0;

	for (cap_value_t cap = 0; cap < cap_max_bits() && cap < CAPS_MAX; cap++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (!cap_get_flag(caps, cap, flag, &has) && has == CAP_SET)
			set |= BIT(cap);
	}
	return set;
}

static int set_flag(cap_t caps, cap_flag_t flag, uint64_t set)
{
	cap_value_t list[CAPS_MAX];
	int n = 0;

	for (cap_value_t cap = 0; cap < cap_max_bits() && cap < CAPS_MAX; cap++)
		if (set & BIT(cap))
			list[n++] = cap;
	return n && cap_set_flag(caps, flag, n, list, CAP_SET) < 0 ? -errno : 0;
}

int caps_read(struct caps *ret)
{
	cap_t caps = cap_get_proc();

	if (!caps)
		return -errno;
	ret->effective = get_flag(caps, CAP_EFFECTIVE);
	ret->permitted = get_flag(caps, CAP_PERMITTED);
	ret->inheritable = get_flag(caps, CAP_INHERITABLE);
	cap_free(caps);
	return 0;
}

int caps_set(const struct caps *to)
{
	cap_t caps = cap_init();
	int err;

	if (!caps)
		return -errno;
	err = set_flag(caps, CAP_EFFECTIVE, to->effective);
	err = err ? err : set_flag(caps, CAP_PERMITTED, to->permitted);
	err = err ? err : set_flag(caps, CAP_INHERITABLE, to->inheritable);
	if (!err && cap_set_proc(caps) < 0)
		err = -errno;
	cap_free(caps);
	return err;
}

uint64_t caps_bounding(void)
{
	uint64_t set = 0;

	for (cap_value_t cap = 0; cap < cap_max_bits() && cap < CAPS_MAX; cap++)
		if (cap_get_bound(cap) > 0)
			set |= BIT(cap);
	return set;
}

int caps_clear_ambient(void)
{
	return cap_reset_ambient() < 0 ? -errno : 0;
}

uint32_t caps_securebits(void)
{
	return cap_get_secbits();
}

unsigned int caps_last(void)
{
	return (unsigned int)cap_max_bits() - 1;
}

void caps_name(uint64_t caps, char ret_name[static CAPS_NAME_MAX])
{
	int nr = __builtin_ctzll(caps);
	char *name = cap_to_name(nr);

	/* For an unknown capability libcap returns its number. */
	snprintf(ret_name, CAPS_NAME_MAX, "%s%s", name && isalpha((unsigned char)name[0]) ? "" : "cap_",
		 name ? name : "?");
	for (char *c = ret_name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	cap_free(name);
}
