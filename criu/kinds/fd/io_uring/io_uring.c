// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring_setup(2), restore. The kernel's counters of a ring start at 0 and cannot be set, but libraries keep copies
 * of them: they are advanced by submitting as many no-op requests as the ring has ever had, at a tenth of a microsecond
 * each.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "kinds/fd/anon.h"
#include "kinds/fd/io_uring/internal.h"
#include "kinds/fd/reopen.h"
#include "run/user_ns.h"
#include "util/fds.h"

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int io_uring_load(struct restore *r, struct file *file, void *state)
{
	const IoUringEntry *e = file->entry->uring;

	if (!e)
		return fail(-EBADMSG, "files.img: file %u: io_uring without a record", file->id);
	if (!is_power_of_two(e->sq_entries) || !is_power_of_two(e->cq_entries) || e->sq_entries > IO_URING_SQ_MAX ||
	    e->cq_entries > 2 * IO_URING_SQ_MAX || e->cq_entries < e->sq_entries)
		return fail(-EBADMSG, "files.img: file %u: invalid io_uring of %u and %u entries", file->id,
			    e->sq_entries, e->cq_entries);
	if (e->sq_tail - e->submitted > e->sq_entries || e->submitted - e->cq_head > e->cq_entries)
		return fail(-EBADMSG, "files.img: file %u: io_uring with more entries than its size", file->id);
	if (e->cqes.len != e->cq_entries * sizeof(struct io_uring_cqe) ||
	    e->array.len != e->sq_entries * sizeof(uint32_t) ||
	    e->sqes.len != e->sq_entries * sizeof(struct io_uring_sqe) || e->n_layout != IO_URING_LAYOUT)
		return fail(-EBADMSG, "files.img: file %u: invalid size of the content of an io_uring", file->id);
	return 0;
}

static int check_layout(const IoUringEntry *e, const struct io_uring_params *p)
{
	uint32_t now[IO_URING_LAYOUT];

	io_uring_layout(p, now);
	if (p->sq_entries == e->sq_entries && p->cq_entries == e->cq_entries && !memcmp(now, e->layout, sizeof(now)))
		return 0;
	return fail(-EOPNOTSUPP,
		    "this kernel uses another memory layout of io_uring than the one that the program has mapped");
}

/* No-op requests, until the kernel's counters have reached those of the program. */
static int advance(int fd, const IoUringEntry *e, const struct io_uring_params *p, char *rings)
{
	uint32_t *array = io_uring_word(rings, p->sq_off.array), *head = io_uring_word(rings, p->cq_off.head);
	uint32_t done = 0;

	for (uint32_t i = 0; i < e->sq_entries; i++)
		array[i] = i;
	while (done != e->submitted) {
		uint32_t n = MIN_OF(e->submitted - done, e->sq_entries);
		long took;

		__atomic_store_n(io_uring_word(rings, p->sq_off.tail), done + n, __ATOMIC_RELEASE);
		took = syscall(SYS_io_uring_enter, fd, n, 0, 0, NULL, 0);
		if (took < 0)
			return fail(-errno, "set the counters of an io_uring to %u", e->submitted);
		done += took;
		__atomic_store_n(head, __atomic_load_n(io_uring_word(rings, p->cq_off.tail), __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		if (*head != done)
			return fail(-EIO, "set the counters of an io_uring to %u: %u completions of %u", e->submitted,
				    *head, done);
	}
	return 0;
}

static void fill(const IoUringEntry *e, const struct io_uring_params *p, char *rings, void *sqes)
{
	memcpy(sqes, e->sqes.data, e->sqes.len);
	memcpy(rings + p->sq_off.array, e->array.data, e->array.len);
	memcpy(rings + p->cq_off.cqes, e->cqes.data, e->cqes.len);
	*io_uring_word(rings, p->sq_off.dropped) = e->sq_dropped;
	*io_uring_word(rings, p->cq_off.overflow) = e->cq_overflow;
	*io_uring_word(rings, p->cq_off.flags) = e->cq_flags;
	*io_uring_word(rings, p->cq_off.head) = e->cq_head;
	__atomic_store_n(io_uring_word(rings, p->sq_off.tail), e->sq_tail, __ATOMIC_RELEASE);
}

static int io_uring_fill(int fd, const IoUringEntry *e, const struct io_uring_params *p)
{
	size_t rings_len = io_uring_rings_len(p);
	char *rings = mmap(NULL, rings_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	void *sqes = mmap(NULL, e->sqes.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	int err;

	if (rings == MAP_FAILED || sqes == MAP_FAILED)
		err = fail(-errno, "map an io_uring");
	else
		err = advance(fd, e, p, rings);
	if (!err)
		fill(e, p, rings, sqes);
	if (rings != MAP_FAILED)
		munmap(rings, rings_len);
	if (sqes != MAP_FAILED)
		munmap(sqes, e->sqes.len);
	return err;
}

static int create(const IoUringEntry *e)
{
	struct io_uring_params params;
	_cleanup_close_ int fd = io_uring_make(e->sq_entries, e->cq_entries, &params);
	int err;

	if (fd < 0)
		return fail(fd, "io_uring_setup of %u and %u entries (sysctl kernel.io_uring_disabled?)", e->sq_entries,
			    e->cq_entries);
	err = check_layout(e, &params);
	if (!err)
		err = io_uring_fill(fd, e, &params);
	return err < 0 ? err : steal_fd(&fd);
}

static int io_uring_open(struct restore *r, struct file *file, const void *state)
{
	const IoUringEntry *e = file->entry->uring;
	_cleanup_close_ int fd = file->inherited < 0 ? create(e) : dup_fd_above(file->inherited, 0);
	int err;

	if (fd < 0)
		return fd;
	err = set_status_flags(r, fd, e->flags, e->fown);
	return err < 0 ? err : steal_fd(&fd);
}

/*
 * A ring cannot be sent in a socket, so other tasks take it from its owner (pidfd_getfd(2)). Where tasks may not access each
 * other, as the owner of their user namespace is another user than the tool, they inherit it.
 */
static bool cannot_be_taken(const struct restore *r, const struct file *file)
{
	const struct ns *user = restore_user_ns(r);

	return user && user_ns_of(user)->foreign && file->nr_users &&
	       file->users[0].task != file->users[file->nr_users - 1].task;
}

static int io_uring_in_namespaces(struct restore *r)
{
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		struct file *file = &r->plan.files[i];
		int fd;

		if (file->kind != &io_uring_kind || !cannot_be_taken(r, file))
			continue;
		LOG_SCOPE("file %#x (io_uring)", file->id);
		fd = create(file->entry->uring);
		if (fd < 0)
			return fd;
		file->inherited = move_fd_above(fd, r->service_base);
		if (file->inherited < 0) {
			close(fd);
			return fail(file->inherited, "keep an io_uring open");
		}
	}
	return 0;
}

const struct fd_kind io_uring_kind = {
	.name = "io_uring",
	.image_type = FD_TYPES__IO_URING,
	.for_untrusted = true,
	.maps_itself = true,
	.unplaced = true,
	.claims = io_uring_claims,
	.save = io_uring_save,
	.load = io_uring_load,
	.open = io_uring_open,
};

const struct run_kind io_uring_run = {
	.name = "io_uring",
	.in_namespaces = io_uring_in_namespaces,
};
