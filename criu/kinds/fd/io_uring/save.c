// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring_setup(2), dump. A ring is saved if it is idle and has no state that cannot be queried: every entry consumed
 * by the kernel has its completion (counters in fdinfo), and no files, buffers or other objects are registered (probed
 * by io_uring_register(2) with arguments that have no effect, whatever the result). Flags that only determine how soon
 * completions arrive (COOP_TASKRUN, TASKRUN_FLAG) or how a batch with an invalid entry is handled (SUBMIT_ALL) cannot
 * be queried; a restored ring has none of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/io_uring/internal.h"
#include "memory/memory.h"
#include "util/fds.h"

#define WAIT_MS 300
#define GROUPS 65536
#define REGISTERED_RINGS 16
/* From io_uring.h of Linux 6.8 and 6.13: headers may be older. */
#define REGISTER_PBUF_STATUS 26
#define REGISTER_MEM_REGION 34

struct io_uring_reported {
	uint32_t sq_mask, sq_head, sq_tail, cq_mask, cq_head, cq_tail, sqes, cqes, files, buffers;
	int sq_thread;
	bool polls, overflow, busy_poll, personalities;
};

bool io_uring_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "io_uring");
}

static bool parse_number(const char *text, const char *key, uint32_t *ret)
{
	const char *at = strstr(text, key);

	if (!at || (at != text && at[-1] != '\n'))
		return false;
	*ret = strtoul(at + strlen(key), NULL, 0);
	return true;
}

/* Is there an indented line after this one? Details of a list are indented. */
static bool has_details(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	at = at ? strchr(at, '\n') : NULL;
	return at && at[1] == ' ';
}

static int read_reported(const struct fd_probe *probe, struct io_uring_reported *ret)
{
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = proc_open_self(&self);
	const char *text;
	uint32_t thread = -1;

	if (!err)
		err = fdinfo_read(&self, probe->local, &info);
	if (err < 0)
		return fail(err, "read fdinfo");
	text = info.other.data ? info.other.data : "";
	*ret = (struct io_uring_reported){ 0 };
	if (!parse_number(text, "SqMask:", &ret->sq_mask) || !parse_number(text, "CachedSqHead:", &ret->sq_head) ||
	    !parse_number(text, "SqTail:", &ret->sq_tail) || !parse_number(text, "CqMask:", &ret->cq_mask) ||
	    !parse_number(text, "CqHead:", &ret->cq_head) || !parse_number(text, "CachedCqTail:", &ret->cq_tail) ||
	    !parse_number(text, "SqThread:", &thread) || !parse_number(text, "UserFiles:", &ret->files) ||
	    !parse_number(text, "UserBufs:", &ret->buffers))
		return -EAGAIN;
	ret->sq_thread = (int)thread;
	ret->polls = has_details(text, "PollList:");
	ret->overflow = has_details(text, "CqOverflowList:");
	ret->busy_poll = strstr(text, "NAPI:\tenabled");
	ret->personalities = strstr(text, "Personalities:");
	return 0;
}

static uint32_t in_flight(const struct io_uring_reported *reported)
{
	return reported->sq_head - reported->cq_tail;
}

static int register_call(int fd, unsigned op, void *arg, unsigned nr)
{
	return syscall(SYS_io_uring_register, fd, op, arg, nr) < 0 ? -errno : 0;
}

/* Does the ring have state that fdinfo does not show? None of these calls changes anything. */
static const char *hidden(int fd)
{
	int none = -1, err = register_call(fd, IORING_REGISTER_EVENTFD, &none, 1);
	struct {
		uint32_t group, head, zero[8];
	} status;

	if (err == -EEXIST)
		return "it may be used by one thread only (IORING_SETUP_SINGLE_ISSUER)";
	if (err == -EACCES)
		return "it is restricted (IORING_REGISTER_RESTRICTIONS)";
	if (err == -EBUSY)
		return "an eventfd is registered with it";
	if (register_call(fd, REGISTER_MEM_REGION, NULL, 1) == -EBUSY)
		return "a memory region is registered with it";
	for (uint32_t group = 0; group < GROUPS; group++) {
		memset(&status, 0, sizeof(status));
		status.group = group;
		err = register_call(fd, REGISTER_PBUF_STATUS, &status, 1);
		if (err == -EINVAL && !group)
			break; /* a kernel that cannot report it */
		if (err != -ENOENT)
			return "it has provided buffers";
	}
	return NULL;
}

/* With an invalid pointer to a timeout: a polling ring does not read it. */
static const char *entered(int fd)
{
	struct io_uring_getevents_arg arg = { .ts = 8 };
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
	long err = syscall(SYS_io_uring_enter, fd, 0, 0, flags, &arg, sizeof(arg)) < 0 ? -errno : 0;

	if (err == -EBADFD)
		return "it is not enabled yet (IORING_SETUP_R_DISABLED)";
	return err ? NULL : "it polls devices for completions (IORING_SETUP_IOPOLL)";
}

static const char *unsaveable(const struct fd_probe *probe, const struct io_uring_reported *reported)
{
	const char *why;

	if (reported->sq_thread != -1)
		return "a kernel thread reads its entries (IORING_SETUP_SQPOLL)";
	if (reported->files)
		return "files are registered with it";
	if (reported->buffers)
		return "buffers are registered with it";
	if (reported->personalities)
		return "credentials are registered with it";
	if (reported->busy_poll)
		return "it busy-polls network devices (IORING_REGISTER_NAPI)";
	if (reported->overflow)
		return "completions have overflowed: dump after the program has read some";
	if (reported->polls)
		return "requests wait for other files in it (a poll, a socket): dump after they have completed or been cancelled";
	why = entered(probe->local);
	return why ? why : hidden(probe->local);
}

/*
 * Make a thread do a system call without effect: this delivers completions that are pending in its context. It also
 * detects whether the thread has registered ring descriptors.
 */
static int flush_thread(struct dump *dump, const struct fd_probe *probe, struct compel_ctl *ctl, struct dump_thread *th)
{
	for (unsigned long slot = 0; slot < REGISTERED_RINGS; slot++) {
		unsigned long args[6] = { slot, 0, 0, IORING_ENTER_REGISTERED_RING };
		long value;
		int err = compel_thread_syscall(ctl, th->id.host_tid, SYS_io_uring_enter, args, &value);

		if (err < 0)
			return fail(err, "query the rings of thread %d: %s", th->id.host_tid, compel_error(ctl));
		if (value == -EINVAL)
			return 0; /* it has never used a ring */
		if (value != -EBADF) {
			dump_blocker(
				dump, probe->task, probe->fd,
				"io_uring: thread %d has registered the descriptor of a ring (IORING_REGISTER_RING_FDS), which "
				"cannot be saved: unregister it (io_uring_unregister_ring_fd)",
				th->id.tid);
			return 0;
		}
	}
	return 0;
}

static int flush_threads(struct dump *dump, const struct fd_probe *probe)
{
	struct dump_task *dt = probe->task;
	struct compel_ctl *ctl;
	int cured, err = compel_open(dt->threads[0].id.host_tid, &ctl);

	if (err < 0)
		return fail(err, "run code in the process: %s", compel_error(NULL));
	for (size_t i = 0; !err && i < dt->nr_threads; i++)
		err = flush_thread(dump, probe, ctl, &dt->threads[i]);
	cured = compel_cure(ctl);
	return err ? err : cured < 0 ? fail(cured, "remove the parasite from the process") : 0;
}

/* Disk requests complete after a moment; a request that waits for something else may never complete. */
static int wait_for_idle(struct dump *dump, const struct fd_probe *probe, struct io_uring_reported *reported)
{
	size_t blockers = dump->blockers.nr;
	int err = read_reported(probe, reported);

	for (int ms = 0; !dump_is_check(dump); ms++) {
		if (!err && reported->polls)
			return 0;
		if (!err && ms && (!in_flight(reported) || ms > WAIT_MS || blockers != dump->blockers.nr))
			return 0;
		if (err && (err != -EAGAIN || ms > WAIT_MS))
			return err;
		if (ms)
			usleep(1000); /* style: completions are delivered by the stopped threads' own calls only */
		err = flush_threads(dump, probe);
		if (!err)
			err = read_reported(probe, reported);
	}
	return err == -EAGAIN ? 0 : err;
}

/*
 * Copies the pages of a ring at @off, which may be fewer than @len: the rest of @buf remains zero. *ret_len: bytes that
 * exist.
 */
static int copy_pages(int fd, off_t off, char *buf, size_t len, size_t *ret_len)
{
	void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, off);
	size_t got = 0;

	if (map == MAP_FAILED)
		return fail(-errno, "map a ring");
	/* Accessing pages beyond the end would be SIGBUS. */
	for (; got < len; got += PAGE_SZ) {
		struct iovec to = { buf + got, PAGE_SZ }, from = { (char *)map + got, PAGE_SZ };

		if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != PAGE_SZ)
			break;
	}
	munmap(map, len);
	*ret_len = got;
	return 0;
}

static bool all_zero(const char *p, const char *end)
{
	while (p < end && !*p)
		p++;
	return p >= end;
}

struct io_uring_copy {
	struct io_uring_params params; /* of a ring of the same size that we created */
	char *rings, *sqes;
	size_t rings_size, sqes_size; /* whole pages, and one more */
};

static int copy_ring(struct dump *dump, const struct fd_probe *probe, const struct io_uring_reported *reported,
		     struct io_uring_copy *copy, const char **ret_why)
{
	_cleanup_close_ int twin = io_uring_make(reported->sq_mask + 1, reported->cq_mask + 1, &copy->params);
	const struct io_uring_params *p = &copy->params;
	size_t rings, sqes;
	int err;

	if (twin < 0)
		return fail(twin, "create an io_uring of %u and %u entries", reported->sq_mask + 1,
			    reported->cq_mask + 1);
	copy->rings_size = ROUND_UP(io_uring_rings_len(p), PAGE_SZ) + PAGE_SZ;
	copy->sqes_size = ROUND_UP(p->sq_entries * sizeof(struct io_uring_sqe), PAGE_SZ) + PAGE_SZ;
	copy->rings = dump_alloc(dump, copy->rings_size);
	copy->sqes = dump_alloc(dump, copy->sqes_size);
	if (!copy->rings || !copy->sqes)
		return fail(-ENOMEM, "io_uring");
	err = copy_pages(probe->local, IORING_OFF_SQ_RING, copy->rings, copy->rings_size, &rings);
	if (!err)
		err = copy_pages(probe->local, IORING_OFF_SQES, copy->sqes, copy->sqes_size, &sqes);
	if (err)
		return err;
	/*
	 * Larger entries (SQE128, CQE32) are visible in the content of small rings, and in the memory size of large
	 * ones.
	 */
	if (rings == copy->rings_size || sqes == copy->sqes_size || !rings || !sqes ||
	    *io_uring_word(copy->rings, p->sq_off.ring_entries) != p->sq_entries ||
	    *io_uring_word(copy->rings, p->cq_off.ring_entries) != p->cq_entries ||
	    !all_zero(copy->rings + io_uring_rings_len(p), copy->rings + copy->rings_size) ||
	    !all_zero(copy->sqes + p->sq_entries * sizeof(struct io_uring_sqe), copy->sqes + copy->sqes_size))
		*ret_why = "its memory layout is not supported (IORING_SETUP_SQE128, CQE32)";
	return 0;
}

/* A ring without an array (IORING_SETUP_NO_SQARRAY) consumes entries in order: the same as with an identity array. */
static int name_in_order(uint32_t *array, uint32_t n)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < n; i++)
		any |= array[i];
	for (uint32_t i = 0; !any && i < n; i++)
		array[i] = i;
	return 0;
}

static int fill_entry(struct dump *dump, const struct fd_probe *probe, const struct io_uring_reported *reported,
		      struct io_uring_copy *copy, IoUringEntry *e)
{
	const struct io_uring_params *p = &copy->params;

	e->flags = probe->flags;
	e->sq_entries = p->sq_entries;
	e->cq_entries = p->cq_entries;
	e->submitted = reported->sq_head;
	e->sq_tail = *io_uring_word(copy->rings, p->sq_off.tail);
	e->cq_head = *io_uring_word(copy->rings, p->cq_off.head);
	e->cq_flags = *io_uring_word(copy->rings, p->cq_off.flags);
	e->sq_dropped = *io_uring_word(copy->rings, p->sq_off.dropped);
	e->cq_overflow = *io_uring_word(copy->rings, p->cq_off.overflow);
	e->n_layout = IO_URING_LAYOUT;
	e->layout = dump_alloc(dump, IO_URING_LAYOUT * sizeof(*e->layout));
	if (!e->layout)
		return fail(-ENOMEM, "io_uring");
	io_uring_layout(p, e->layout);
	e->cqes.data = (uint8_t *)copy->rings + p->cq_off.cqes;
	e->cqes.len = p->cq_entries * sizeof(struct io_uring_cqe);
	e->array.data = (uint8_t *)copy->rings + p->sq_off.array;
	e->array.len = p->sq_entries * sizeof(uint32_t);
	e->sqes.data = (uint8_t *)copy->sqes;
	e->sqes.len = p->sq_entries * sizeof(struct io_uring_sqe);
	return name_in_order(io_uring_word(copy->rings, p->sq_off.array), p->sq_entries);
}

static void refuse(struct dump *dump, const struct fd_probe *probe, const char *why)
{
	dump_blocker(dump, probe->task, probe->fd, "io_uring: not supported: %s; or run the program without io_uring",
		     why);
}

int io_uring_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	IoUringEntry *e = dump_alloc(dump, sizeof(*e));
	struct io_uring_reported reported = { 0 };
	struct io_uring_copy copy = { 0 };
	const char *why = NULL;
	int err;

	if (!e)
		return fail(-ENOMEM, "io_uring");
	io_uring_entry__init(e);
	entry->uring = e;
	e->id = entry->id;
	err = dump_fown(dump, probe, &e->fown);
	if (!err)
		err = memory_mapping_is(dump, &probe->st, entry->id);
	if (!err)
		err = wait_for_idle(dump, probe, &reported);
	if (err)
		return err;
	why = unsaveable(probe, &reported);
	if (!why && in_flight(&reported) && !dump_is_check(dump)) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"io_uring: %d requests are in flight, and did not complete within %d ms (or complete silently): dump after "
			"they have completed, or run the program without io_uring",
			(int)in_flight(&reported), WAIT_MS);
		return 0;
	}
	if (!why)
		err = copy_ring(dump, probe, &reported, &copy, &why);
	if (!err && !why)
		err = fill_entry(dump, probe, &reported, &copy, e);
	if (!err && why)
		refuse(dump, probe, why);
	return err;
}
