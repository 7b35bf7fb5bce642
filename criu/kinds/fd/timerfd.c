// SPDX-License-Identifier: GPL-2.0-only
/*
 * timerfd_create(2). Images contain the remaining time. A timer set to an absolute time (TFD_TIMER_ABSTIME) of a
 * real-time clock keeps that time; on a clock that counts since boot it expires when the tree's clock, which continues
 * from the dump (kinds/ns/time.c), reaches it. If the clock does not continue, the remaining time is used.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "kernel/clocks.h"
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "pie/timer_rest.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/fds.h"

#define NSEC_PER_SEC 1000000000l
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

static bool timerfd_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "timerfd");
}

static bool timerfd_on_real_time(uint32_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static bool timerfd_on_alarm_clock(uint32_t clock)
{
	return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

static struct timespec timespec_add(struct timespec a, struct timespec b)
{
	a.tv_sec += b.tv_sec;
	a.tv_nsec += b.tv_nsec;
	if (a.tv_nsec >= NSEC_PER_SEC) {
		a.tv_nsec -= NSEC_PER_SEC;
		a.tv_sec++;
	}
	return a;
}

static bool timespec_is_zero(const struct timespec *t)
{
	return !t->tv_sec && !t->tv_nsec;
}

/* Expiry of a timer that was set to an absolute real time. */
static int timerfd_save_expiry(TimerfdEntry *tfd, const struct timespec *remains)
{
	struct timespec now, at;

	if (!(tfd->settime_flags & TFD_TIMER_ABSTIME) || !timerfd_on_real_time(tfd->clockid) ||
	    timespec_is_zero(remains))
		return 0;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return fail(-errno, "read the clock");
	at = timespec_add(now, *remains);
	tfd->has_expiry_sec = tfd->has_expiry_nsec = true;
	tfd->expiry_sec = at.tv_sec;
	tfd->expiry_nsec = at.tv_nsec;
	return 0;
}

static struct timer_rest timerfd_rest(const struct itimerspec *its)
{
	return (struct timer_rest){ its->it_interval.tv_sec, its->it_interval.tv_nsec, its->it_value.tv_sec,
				    its->it_value.tv_nsec };
}

static int timerfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	TimerfdEntry *tfd = dump_alloc(dump, sizeof(*tfd));
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct fdinfo_item *item;
	struct itimerspec its;
	struct timer_rest rest;
	int64_t asked;
	int err;

	if (!tfd)
		return fail(-ENOMEM, "timerfd");
	/*
	 * The kernel restarts a periodic timer when it is queried: fdinfo of one that has expired shows a value of
	 * zero, which would disarm it. A query before that has no effect visible to the target; ticks are read
	 * afterwards.
	 */
	if (timerfd_gettime(probe->local, &its) < 0)
		return fail(-errno, "timerfd_gettime");
	asked = clocks_now().monotonic;
	err = proc_open_self(&self);
	if (!err)
		err = fdinfo_read(&self, probe->local, &info);
	if (err < 0)
		return fail(err, "read fdinfo");
	item = fdinfo_find(&info, FDINFO_TIMERFD);
	if (!item)
		return fail(-EBADMSG, "fdinfo of a timerfd contains no clock");
	timerfd_entry__init(tfd);
	err = dump_fown(dump, probe, &tfd->fown);
	if (err < 0)
		return err;
	tfd->id = entry->id;
	tfd->flags = probe->flags;
	tfd->clockid = item->timerfd.clock;
	tfd->ticks = item->timerfd.ticks;
	tfd->settime_flags = item->timerfd.settime_flags;
	/* Images are of a single moment, slightly earlier. */
	rest = timerfd_rest(&its);
	timer_rest_after(&rest, dump->stood.monotonic - asked);
	tfd->vsec = (uint64_t)rest.value_sec;
	tfd->vnsec = (uint64_t)rest.value_nsec;
	tfd->isec = its.it_interval.tv_sec;
	tfd->insec = its.it_interval.tv_nsec;
	entry->tfd = tfd;
	if (timerfd_on_alarm_clock(tfd->clockid))
		dump_need_right(dump, probe->task, probe, RIGHT_ALARM_CLOCKS, "a timerfd on an alarm clock");
	return timerfd_save_expiry(tfd, &its.it_value);
}

static int timerfd_load(struct restore *r, struct file *file, void *state)
{
	const TimerfdEntry *tfd = file->entry->tfd;

	if (!tfd)
		return fail(-EBADMSG, "files.img: file %u: timerfd without a record", file->id);
	if (tfd->vnsec >= NSEC_PER_SEC || tfd->insec >= NSEC_PER_SEC || tfd->vsec > INT64_MAX ||
	    tfd->isec > INT64_MAX || (tfd->has_expiry_nsec && tfd->expiry_nsec >= NSEC_PER_SEC))
		return fail(-EBADMSG, "files.img: file %u: timerfd values out of range", file->id);
	if (tfd->settime_flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return fail(-EBADMSG, "files.img: file %u: unknown timerfd flags 0x%x", file->id, tfd->settime_flags);
	if (!timerfd_on_alarm_clock(tfd->clockid))
		return 0;
	return rights_need(&r->rights, RIGHT_ALARM_CLOCKS, "files.img: file %u: a timerfd on alarm clock %u", file->id,
			   tfd->clockid);
}

/* How far its clock has advanced in this task's time namespace since the dump. */
static int64_t timerfd_passed(const struct restore *r, uint32_t clock)
{
	const struct clocks stood = time_ns_at_dump(r, r->process.task), now = clocks_now();

	if (!clock_since_boot((clockid_t)clock) || !stood.monotonic)
		return 0;
	return clock == CLOCK_MONOTONIC ? now.monotonic - stood.monotonic : now.boottime - stood.boottime;
}

static int timerfd_set(struct restore *r, int fd, const TimerfdEntry *tfd)
{
	struct itimerspec its = {
		.it_value = { .tv_sec = tfd->vsec, .tv_nsec = tfd->vnsec },
		.it_interval = { .tv_sec = tfd->isec, .tv_nsec = tfd->insec },
	};
	struct timer_rest rest = timerfd_rest(&its);
	struct timespec now;

	timer_rest_after(&rest, timerfd_passed(r, tfd->clockid));
	its.it_value = (struct timespec){ rest.value_sec, rest.value_nsec };
	if ((tfd->settime_flags & TFD_TIMER_ABSTIME) && !timespec_is_zero(&its.it_value)) {
		if (clock_gettime((clockid_t)tfd->clockid, &now) < 0)
			return fail(-errno, "read clock %u", tfd->clockid);
		its.it_value = timespec_add(its.it_value, now);
		if (tfd->has_expiry_sec)
			its.it_value = (struct timespec){ tfd->expiry_sec, tfd->expiry_nsec };
	}
	/* A disarmed timer has flags, too: fdinfo shows them. */
	if (timerfd_settime(fd, (int)tfd->settime_flags, &its, NULL) < 0)
		return fail(-errno, "set a timerfd to %ld.%09ld", its.it_value.tv_sec, its.it_value.tv_nsec);
	if (tfd->ticks && ioctl(fd, TFD_IOC_SET_TICKS, &tfd->ticks) < 0)
		return fail(-errno, "set the ticks of a timerfd to %lu", tfd->ticks);
	return 0;
}

static int timerfd_open(struct restore *r, struct file *file, const void *state)
{
	const TimerfdEntry *tfd = file->entry->tfd;
	_cleanup_close_ int fd = timerfd_create((clockid_t)tfd->clockid, TFD_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(-errno, "timerfd on clock %u", tfd->clockid);
	err = timerfd_set(r, fd, tfd);
	if (err < 0)
		return err;
	err = set_status_flags(r, fd, tfd->flags, tfd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

const struct fd_kind timerfd_kind = {
	.name = "timerfd",
	.image_type = FD_TYPES__TIMERFD,
	.for_untrusted = true,
	.claims = timerfd_claims,
	.save = timerfd_save,
	.load = timerfd_load,
	.open = timerfd_open,
};
