// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/timed_call.h"
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include "kmem/reader.h"

#define NS 1000000000ull
#define RESTART_MAX 128
#define LOWEST_ADDRESS 4096ul /* lower values are not pointers */

/* All fields that are read; resolved once. */
#define FIELDS(X)                                                              \
	X(restart, "task_struct", "restart_block", NULL)                       \
	X(futex_word, "restart_block", "futex.uaddr", NULL)                    \
	X(futex_value, "restart_block", "futex.val", NULL)                     \
	X(futex_end, "restart_block", "futex.time", NULL)                      \
	X(sleep_clock, "restart_block", "nanosleep.clockid", NULL)             \
	X(sleep_type, "restart_block", "nanosleep.type", NULL)                 \
	X(sleep_end, "restart_block", "nanosleep.expires", NULL)               \
	X(sleep_rest, "restart_block", "nanosleep.rmtp", NULL)                 \
	X(poll_fds, "restart_block", "poll.ufds", NULL)                        \
	X(poll_nr, "restart_block", "poll.nfds", NULL)                         \
	X(poll_limited, "restart_block", "poll.has_timeout", NULL)             \
	X(poll_sec, "restart_block", "poll.tv_sec", "poll.end_time.tv_sec")    \
	X(poll_nsec, "restart_block", "poll.tv_nsec", "poll.end_time.tv_nsec") \
	X(size, "restart_block", NULL, NULL)

struct fields {
	FIELDS(KERNEL_FIELD_MEMBER)
};

static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) };

struct timed_call_reader {
	struct kernel_memory mem;
	struct fields at;
};

static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct timed_call_reader, fields);

/* A copy of the kernel's restart block. */
struct restart {
	const struct fields *at;
	char bytes[RESTART_MAX];
};

int timed_call_reader_open(struct timed_call_reader **ret)
{
	int err;
	struct timed_call_reader *reader = kernel_reader_new(&reader_type, &err);

	if (!reader)
		return err;
	if (reader->at.size > RESTART_MAX) {
		timed_call_reader_close(reader);
		return -EOPNOTSUPP;
	}
	*ret = reader;
	return 0;
}

void timed_call_reader_close(struct timed_call_reader *reader)
{
	kernel_reader_free(reader);
}

/* The three are members of a union: the registers must match, too. */

/* A clock id (negative for CPU-time clocks), not an address. */
static bool is_clock(unsigned long arg)
{
	return arg < LOWEST_ADDRESS || (long)arg < 0 || (arg <= UINT32_MAX && (int32_t)arg < 0);
}

static bool is_sleep(const struct restart *r, const unsigned long args[6], long *ret_nr)
{
	bool with_clock = is_clock(args[0]);

	*ret_nr = with_clock ? SYS_clock_nanosleep : SYS_nanosleep;
	return kernel_number(r->bytes, r->at->sleep_clock, 4) < LOWEST_ADDRESS &&
	       kernel_number(r->bytes, r->at->sleep_type, 4) <= 2 &&
	       kernel_number(r->bytes, r->at->sleep_rest, 8) == (with_clock ? args[3] : args[1]) &&
	       !is_clock(with_clock ? args[2] : args[0]);
}

static bool is_poll(const struct restart *r, const unsigned long args[6])
{
	return kernel_number(r->bytes, r->at->poll_fds, 8) == args[0] &&
	       kernel_number(r->bytes, r->at->poll_nr, 4) == (uint32_t)args[1] &&
	       kernel_number(r->bytes, r->at->poll_limited, 4) <= 1;
}

/* Its flags have more bits; the other has 0 or 1 there. */
static bool is_futex(const struct restart *r, const unsigned long args[6])
{
	return kernel_number(r->bytes, r->at->futex_word, 8) == args[0] &&
	       kernel_number(r->bytes, r->at->futex_value, 4) == (uint32_t)args[2];
}

/* Reads the kernel's own clocks: ours may have the offsets of a time namespace, which the restart block does not. */
static int read_clock(struct kernel_memory *mem, clockid_t clock, uint64_t *ret)
{
	struct timespec ts;

	if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
		return kernel_memory_clock(mem, clock, ret);
	/* Time namespaces do not affect these. CPU-time clocks start at zero in a new process. */
	if ((clock != CLOCK_REALTIME && clock != CLOCK_TAI) || clock_gettime(clock, &ts))
		return -ENODATA;
	*ret = ts.tv_sec * NS + ts.tv_nsec;
	return 0;
}

static int left_until(struct kernel_memory *mem, clockid_t clock, uint64_t end, struct timed_call *ret)
{
	uint64_t now;
	int err = read_clock(mem, clock, &now);

	if (err)
		return err;
	ret->limited = true;
	ret->left_ns = end > now ? end - now : 0;
	return 0;
}

static int tell(struct kernel_memory *mem, const struct restart *r, const unsigned long args[6], struct timed_call *ret)
{
	if (is_sleep(r, args, &ret->nr))
		return left_until(mem, (clockid_t)kernel_number(r->bytes, r->at->sleep_clock, 4),
				  kernel_number(r->bytes, r->at->sleep_end, 8), ret);
#ifdef SYS_poll /* with only ppoll(2), no restart block is that of a poll */
	if (is_poll(r, args)) {
		uint64_t end =
			kernel_number(r->bytes, r->at->poll_sec, 8) * NS + kernel_number(r->bytes, r->at->poll_nsec, 8);

		ret->nr = SYS_poll;
		return kernel_number(r->bytes, r->at->poll_limited, 4) ? left_until(mem, CLOCK_MONOTONIC, end, ret) : 0;
	}
#endif
	if (is_futex(r, args)) {
		ret->nr = SYS_futex;
		return left_until(mem, CLOCK_MONOTONIC, kernel_number(r->bytes, r->at->futex_end, 8), ret);
	}
	return -ENODATA;
}

int timed_call_read(struct timed_call_reader *reader, int thread, const unsigned long args[6], struct timed_call *ret)
{
	struct restart restart = { .at = &reader->at };
	struct timed_call call = { 0 };
	uint64_t at = 0;
	int err = kernel_memory_task_of(&reader->mem, thread, &at);

	if (!err)
		err = kernel_memory_read(&reader->mem, at + reader->at.restart, restart.bytes, reader->at.size);
	if (!err)
		err = tell(&reader->mem, &restart, args, &call);
	if (!err)
		*ret = call;
	return err;
}
