// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that we create for a restore, or that its tasks create meanwhile, get the numbers that are next, of which the tree may
 * need some. So before the first of them, the kernel's position moves to where the tree has none: ns_last_pid(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/last_pid.h"
#include "kernel/ns_run.h"
#include "restore/interrupted.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Of the kernel: it begins again after this one. */
#define RESERVED_PIDS 300
/* How many numbers in a row should not be of the tree: for all processes of a usual restore, and those of others meanwhile. */
#define ROW_OF_NUMBERS 1024u
#define ROW_AT_LEAST 64u
/* Without ns_last_pid a number is passed by taking it, which costs up to half a millisecond. */
#define TAKEN_AT_MOST 1000

struct numbers {
	const uint64_t *v; /* of the tree, sorted */
	size_t n;
	uint64_t pid_max;
};

static int cmp_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The first number from @last on that is followed by @row numbers that are not of the tree; 0: there is none. */
static uint64_t find_row_after(const struct numbers *of, uint64_t last, uint64_t row)
{
	for (size_t i = 0; i < of->n && of->v[i] <= last + row; i++)
		if (of->v[i] > last)
			last = of->v[i];
	return last + row < of->pid_max ? last : 0;
}

/* Ahead, if possible: whoever remembers a pid of before should not soon meet it again. */
static uint64_t find_row(const struct numbers *of, uint64_t last, uint64_t wanted)
{
	uint64_t found = 0;

	for (uint64_t row = wanted; !found && row >= ROW_AT_LEAST; row /= 2)
		found = find_row_after(of, last, row);
	for (uint64_t row = wanted; !found && row >= ROW_AT_LEAST; row /= 2)
		found = find_row_after(of, RESERVED_PIDS, row);
	return found;
}

static uint64_t pid_max(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	return read_file(proc_root(), "sys/kernel/pid_max", &text) || !text.len ? 0 : strtoull(text.data, NULL, 10);
}

static int note_number(void *arg)
{
	*(uint64_t *)arg = (uint64_t)getpid();
	return 0;
}

/* Where /proc/sys is read-only: processes that exit at once take the numbers until there. */
static int pass_numbers(uint64_t last, uint64_t to)
{
	int err = 0, result = 0;

	if (to < last || to - last > TAKEN_AT_MOST)
		return -ERANGE;
	for (uint64_t now = last; !err && now >= last && now < to;) {
		err = restore_interrupted();
		if (!err)
			err = ns_run_in(NULL, 0, note_number, &now, &result);
	}
	return err;
}

/* No further than necessary. *ret_to: where it is then. */
static int pass_nearest(const struct numbers *of, uint64_t last, uint64_t *ret_to)
{
	*ret_to = find_row(of, last, ROW_AT_LEAST);
	return *ret_to == last ? 0 : pass_numbers(last, *ret_to);
}

static int leave_numbers(const struct numbers *of, uint64_t row)
{
	const uint64_t last = last_pid_read();
	uint64_t to = last ? find_row(of, last, row) : 0;
	int err = !last ? -ENOENT : to == last ? 0 : to ? last_pid_write(to) : -ERANGE;

	if (err && to)
		err = pass_nearest(of, last, &to);
	if (err == -EINTR)
		return err;
	/* Then a process of ours may be in the way of one of the tree. */
	if (!last)
		log_warn(
			"cannot move away from the numbers of the tree: sys/kernel/ns_last_pid of proc cannot be read");
	else if (err)
		log_warn("cannot move away from the numbers of the tree (the last pid is %lu): errno %d", last, -err);
	else if (to != last)
		log_debug("the last pid was %lu, and is %lu now, away from the numbers of the tree", last, to);
	return 0;
}

/* Numbers that we have ourselves are not free before we have ended. */
static int check_own(struct restore *r)
{
	const struct {
		pid_t number;
		const char *of;
	} own[] = {
		{ getpid(), "the pid of this criu itself: start it again, so that it gets another one" },
		{ getppid(), "the pid of the process that has started this criu: start it from another one" },
		{ r->tool.own_pgid, "the process group of this criu: start it in another one (setsid)" },
		{ r->tool.own_sid, "the session of this criu: start it in another one (setsid)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].number && restore_is_number_of_tree(r, own[i].number))
			return fail(-EEXIST, "pid %d of the tree is %s, or " TAKEN_ADVICE_ELSE, own[i].number,
				    own[i].of);
	return 0;
}

/* A zombie is no thread. */
static size_t list_numbers(const struct restore *r, uint64_t *v)
{
	const struct hash *of[] = { &r->plan.tids, &r->plan.task_by_pid };
	const struct hash_slot *slot;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(of); i++)
		for (size_t at = 0; (slot = hash_next(of[i], &at));)
			v[n++] = slot->key;
	qsort(v, n, sizeof(*v), cmp_number);
	return n;
}

int restore_leave_numbers(struct restore *r)
{
	_cleanup_free_ uint64_t *v = NULL;
	struct numbers of;
	int err;

	/* In a new one the tool has none. */
	if (restore_has_pid_ns(r))
		return 0;
	err = check_own(r);
	if (err)
		return err;
	v = malloc((r->plan.tids.n + r->plan.task_by_pid.n + 1) * sizeof(*v));
	if (!v)
		return fail(-ENOMEM, "numbers of the tree");
	of = (struct numbers){ v, list_numbers(r, v), pid_max() };
	return leave_numbers(&of, ROW_OF_NUMBERS + 4 * (of.n + r->plan.nr_files));
}
