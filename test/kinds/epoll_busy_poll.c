// SPDX-License-Identifier: GPL-2.0-only
/*
 * An epoll with busy polling of network devices (EPIOCSPARAMS), and one without.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>

struct params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};
#define SET_PARAMS _IOW(0x8a, 1, struct params)
#define GET_PARAMS _IOR(0x8a, 2, struct params)

int main(int argc, char **argv)
{
	struct params want = { .usecs = 50, .budget = 8, .prefer = 1 }, now = { 0 }, none = { 0 };
	int busy, idle;

	test_init(argc, argv);
	busy = epoll_create1(0);
	idle = epoll_create1(0);
	if (ioctl(busy, SET_PARAMS, &want))
		test_skip("this kernel has no busy polling of an epoll");
	if (checkpoint_here() == 1)
		ioctl(busy, SET_PARAMS, &none);
	check(!ioctl(busy, GET_PARAMS, &now) && !memcmp(&now, &want, sizeof(now)), "%u us, budget %u, %u", now.usecs,
	      now.budget, now.prefer);
	check(!ioctl(idle, GET_PARAMS, &now) && !memcmp(&now, &none, sizeof(now)), "the other one: %u us", now.usecs);
	test_done();
}
