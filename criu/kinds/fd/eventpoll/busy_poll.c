// SPDX-License-Identifier: GPL-2.0-only
/* EPIOCSPARAMS and EPIOCGPARAMS */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/eventpoll/internal.h"
#include "util/log.h"

/* struct epoll_params of the kernel, since Linux 6.9 */
struct busy_poll {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};
#define SET_BUSY_POLL _IOW(0x8a, 1, struct busy_poll) /* EPIOCSPARAMS */
#define GET_BUSY_POLL _IOR(0x8a, 2, struct busy_poll)

/* Not supported by every kernel. */
void eventpoll_save_busy_poll(int fd, EventpollFileEntry *epfd)
{
	struct busy_poll p = { 0 };

	if (ioctl(fd, GET_BUSY_POLL, &p) || (!p.usecs && !p.budget && !p.prefer))
		return;
	epfd->has_busy_poll_usecs = epfd->has_busy_poll_budget = epfd->has_prefer_busy_poll = true;
	epfd->busy_poll_usecs = p.usecs;
	epfd->busy_poll_budget = p.budget;
	epfd->prefer_busy_poll = p.prefer;
}

/* It only makes waiting faster: if the kernel does not support or permit it, that is no reason to fail. */
void eventpoll_set_busy_poll(int fd, const EventpollFileEntry *epfd)
{
	struct busy_poll p = { .usecs = epfd->busy_poll_usecs,
			       .budget = (uint16_t)epfd->busy_poll_budget,
			       .prefer = epfd->prefer_busy_poll };

	if ((p.usecs || p.budget || p.prefer) && ioctl(fd, SET_BUSY_POLL, &p))
		log_warn("epoll: busy polling (EPIOCSPARAMS: %u us, budget %u) cannot be set: %s", p.usecs, p.budget,
			 strerror(errno));
}
