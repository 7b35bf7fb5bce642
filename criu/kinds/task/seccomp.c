// SPDX-License-Identifier: GPL-2.0-only
/*
 * System call filters: seccomp(2). The filters of a thread are a chain, newest first, shared with other threads and
 * children. The image contains each filter once, with the index of the previous one; a thread refers to its newest.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "seccomp.pb-c.h"
#include "util/hash.h"
#include "util/log.h"

#define GET_FILTER ((enum __ptrace_request)0x420c)
#define GET_METADATA ((enum __ptrace_request)0x420d)

enum {
	FILTER_INSNS_MAX = 4096, /* BPF_MAXINSNS */
	CHAIN_INSNS_MAX = 32768, /* the kernel's limit for a chain, each filter counting 4 more */
	NO_FILTER = -1,
	MODE_STRICT = 1,
	MODE_FILTER = 2,
};

_Static_assert(sizeof(struct wire_seccomp_filter) == sizeof(struct sock_fprog), "wire_seccomp_filter is a sock_fprog");
_Static_assert(offsetof(struct wire_seccomp_filter, insns) == offsetof(struct sock_fprog, filter), "sock_fprog");

/* ---- dump ---- */

/* The filters of one dump, each stored once. */
struct seccomp_pool {
	SeccompFilter **filters;
	size_t n, cap;
	struct hash
		by_content; /* of (previous filter, bytes, flags) -> index + 1; a rare collision costs a duplicate */
};

static struct seccomp_pool *pool_of(struct dump *dump)
{
	void **pool = dump_kind_data(dump, &seccomp_run);

	if (!*pool)
		*pool = dump_alloc(dump, sizeof(struct seccomp_pool));
	return *pool;
}

/* A filter of a thread. */
struct seen_filter {
	int prev; /* index of the previous one, or NO_FILTER */
	const void *insns;
	size_t len;
	uint32_t flags;
};

static bool same_filter(const SeccompFilter *f, const struct seen_filter *seen)
{
	int f_prev = f->has_prev ? (int)f->prev : NO_FILTER;

	return f_prev == seen->prev && f->flags == seen->flags && f->filter.len == seen->len &&
	       !memcmp(f->filter.data, seen->insns, seen->len);
}

static int pool_add(struct dump *dump, struct seccomp_pool *p, const struct seen_filter *seen)
{
	SeccompFilter *f = dump_alloc(dump, sizeof(*f));
	uint8_t *copy = dump_alloc(dump, seen->len);

	if (!f || !copy)
		return -ENOMEM;
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		SeccompFilter **v = dump_alloc(dump, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		if (p->n)
			memcpy(v, p->filters, p->n * sizeof(*v));
		p->filters = v;
		p->cap = cap;
	}
	seccomp_filter__init(f);
	memcpy(copy, seen->insns, seen->len);
	f->filter.data = copy;
	f->filter.len = seen->len;
	f->has_prev = seen->prev != NO_FILTER;
	f->prev = f->has_prev ? (uint32_t)seen->prev : 0;
	f->has_flags = seen->flags != 0;
	f->flags = seen->flags;
	p->filters[p->n++] = f;
	return 0;
}

/* Its index, or a negative errno. */
static int pool_index(struct dump *dump, const struct seen_filter *seen)
{
	struct seccomp_pool *p = pool_of(dump);
	uint64_t at = 0;

	if (!p)
		return -ENOMEM;
	uint64_t key = hash_mix(hash_bytes(seen->insns, seen->len) ^
				hash_mix((uint64_t)(uint32_t)seen->prev << 32 | seen->flags));
	if (hash_get(&p->by_content, key, &at) && same_filter(p->filters[at - 1], seen))
		return (int)at - 1;
	int err = pool_add(dump, p, seen);
	if (!err)
		err = hash_put(&p->by_content, key, p->n);
	return err ? err : (int)p->n - 1;
}

/* Filter number @nr of a thread, where 0 is the oldest: number of instructions, or -ENOENT after the newest. */
static int read_filter(pid_t tid, unsigned long nr, struct sock_filter *insns, uint32_t *ret_flags)
{
	struct {
		uint64_t filter_off, flags;
	} meta = { .filter_off = nr };
	/* The kernel accepts no filter that is larger than the buffer. */
	long count = ptrace(GET_FILTER, tid, (void *)nr, insns);

	if (count < 0)
		return -errno;
	/* Older kernels return no flags: then none of them matters. */
	*ret_flags = ptrace(GET_METADATA, tid, sizeof(meta), &meta) < 0 ? 0 : (uint32_t)meta.flags;
	return (int)count;
}

static const char *why_unreadable(const struct dump *dump)
{
	return rights_may(&dump->rights, RIGHT_READ_FILTERS) ? "criu itself has a filter" :
							       rights_text(RIGHT_READ_FILTERS);
}

static int save_chain(struct dump *dump, pid_t tid, uint32_t *ret_last)
{
	struct sock_filter insns[FILTER_INSNS_MAX];
	int last = NO_FILTER;

	for (unsigned long nr = 0;; nr++) {
		uint32_t flags = 0;
		int count = read_filter(tid, nr, insns, &flags);

		if (count == -ENOENT && last != NO_FILTER)
			break;
		if (count == -EACCES)
			return fail(count, "thread %d: read its seccomp filter %lu: %s", tid, nr, why_unreadable(dump));
		if (count < 0)
			return fail(count, "thread %d: read its seccomp filter %lu%s", tid, nr,
				    count == -EMEDIUMTYPE ? ": not a classic BPF program" : "");
		const struct seen_filter seen = { last, insns, (size_t)count * sizeof(*insns), flags };
		last = pool_index(dump, &seen);
		if (last < 0)
			return no_memory("seccomp filters");
	}
	*ret_last = (uint32_t)last;
	return 0;
}

static int seccomp_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	ThreadCoreEntry *tce = core->thread_core;

	if (!thread->status.seccomp)
		return 0;
	tce->has_seccomp_mode = true;
	tce->seccomp_mode = (SeccompMode)thread->status.seccomp;
	if (thread->status.seccomp != MODE_FILTER)
		return 0;
	tce->has_seccomp_filter = true;
	return save_chain(dump, thread->id.host_tid, &tce->seccomp_filter);
}

static int seccomp_write(struct dump *dump)
{
	struct seccomp_pool *p = *dump_kind_data(dump, &seccomp_run);
	SeccompEntry e = SECCOMP_ENTRY__INIT;

	if (p) {
		e.seccomp_filters = p->filters;
		e.n_seccomp_filters = p->n;
	}
	int err = image_write_single(dump->dir, IMAGE_SECCOMP, 0, &e.base);
	if (p)
		hash_free(&p->by_content);
	return err ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* ---- restore ---- */

/* The filters of one restore, as read; and in each task, their addresses for the restorer. */
struct seccomp_images {
	SeccompEntry *entry;
	struct wire_task *placed_for;
	uint64_t *placed; /* addresses, 0: not yet */
};

static int check_filters(const SeccompEntry *e)
{
	for (size_t i = 0; i < e->n_seccomp_filters; i++) {
		const SeccompFilter *f = e->seccomp_filters[i];
		size_t len = f->filter.len;

		if (!len || len % sizeof(struct sock_filter) || len / sizeof(struct sock_filter) > FILTER_INSNS_MAX)
			return fail(-EBADMSG, "seccomp.img: filter %zu has %zu bytes", i, len);
		if (f->has_prev && f->prev >= e->n_seccomp_filters)
			return fail(-EBADMSG, "seccomp.img: filter %zu: prev %u does not exist", i, f->prev);
		if (f->flags &
		    ~(uint32_t)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW))
			return fail(-EBADMSG, "seccomp.img: filter %zu: flags 0x%x", i, f->flags);
	}
	return 0;
}

static const struct seccomp_images *images_of(struct restore *r)
{
	return *restore_kind_data(r, &seccomp_run);
}

/* Read seccomp.img once. */
static int need_filters(struct restore *r, bool missing_ok)
{
	struct seccomp_images *s = *restore_kind_data(r, &seccomp_run);
	struct restore_records records;

	if (s)
		return 0;
	s = restore_alloc(r, sizeof(*s));
	if (!s)
		return no_memory("seccomp filters");
	int err = restore_read_records(r, IMAGE_SECCOMP, 0, &seccomp_entry__descriptor, &records);
	if (err)
		return err;
	if (!records.v)
		return missing_ok ? 0 : fail(-ENOENT, "seccomp.img is missing, and a thread has filters");
	if (records.n != 1)
		return fail(-EBADMSG, "seccomp.img has %zu records, not 1", records.n);
	s->entry = (SeccompEntry *)records.v[0];
	err = check_filters(s->entry);
	if (!err)
		*restore_kind_data(r, &seccomp_run) = s;
	return err;
}

/* Number of filters in the chain that ends with @last; 0 if it is too long, or has a cycle. */
static size_t chain_length(const SeccompEntry *e, uint32_t last)
{
	size_t insns = 0, n = 0;

	for (;;) {
		const SeccompFilter *f = e->seccomp_filters[last];

		insns += f->filter.len / sizeof(struct sock_filter) + 4;
		n++;
		if (insns > CHAIN_INSNS_MAX)
			return 0;
		if (!f->has_prev)
			return n;
		last = f->prev;
	}
}

static uint32_t mode_of(const ThreadCoreEntry *tce)
{
	return tce && tce->has_seccomp_mode ? (uint32_t)tce->seccomp_mode : 0;
}

/* An invalid image is refused even if it is not needed. */
static int seccomp_load(struct restore *r, struct restore_task *task)
{
	return &task->t == r->plan.tree.root ? need_filters(r, true) : 0;
}

static int seccomp_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	pid_t tid = thread->id.tid;

	if (!mode_of(tce) || mode_of(tce) == MODE_STRICT)
		return 0;
	if (mode_of(tce) != MODE_FILTER)
		return core_refuse(tid, "thread_core.seccomp_mode is %u", mode_of(tce));
	if (!tce->has_seccomp_filter)
		return core_refuse(tid, "thread_core.seccomp_filter is missing");
	int err = need_filters(r, false);
	if (err)
		return err;
	const SeccompEntry *e = images_of(r)->entry;
	if (tce->seccomp_filter >= e->n_seccomp_filters)
		return core_refuse(tid, "thread_core.seccomp_filter %u: seccomp.img has %zu filters",
				   tce->seccomp_filter, e->n_seccomp_filters);
	if (!chain_length(e, tce->seccomp_filter))
		return core_refuse(tid, "thread_core.seccomp_filter %u: its chain is longer than the kernel allows",
				   tce->seccomp_filter);
	return 0;
}

/* Address of filter @nr in the region: threads with the same filter share the bytes. 0 if out of memory. */
static uint64_t place_filter(struct restore *r, struct wire_task *wire, uint32_t nr)
{
	struct seccomp_images *s = *restore_kind_data(r, &seccomp_run);
	const ProtobufCBinaryData *f = &s->entry->seccomp_filters[nr]->filter;

	if (s->placed_for != wire) {
		s->placed = restore_alloc(r, s->entry->n_seccomp_filters * sizeof(*s->placed));
		s->placed_for = s->placed ? wire : NULL;
	}
	if (!s->placed)
		return 0;
	if (!s->placed[nr]) {
		void *to = wire_alloc(wire, f->len);
		if (!to)
			return 0;
		memcpy(to, f->data, f->len);
		s->placed[nr] = (uint64_t)(uintptr_t)to;
	}
	return s->placed[nr];
}

/* Every filter at most once, plus a list for each thread. */
static size_t seccomp_wire_size(struct restore *r, const struct restore_task *task)
{
	enum { ALIGNMENT = 64 };
	size_t size = 0;

	for (size_t i = 0; i < task->nr_threads; i++) {
		const ThreadCoreEntry *tce = task->threads[i].core->thread_core;

		if (mode_of(tce) == MODE_FILTER)
			size += chain_length(images_of(r)->entry, tce->seccomp_filter) *
				sizeof(struct wire_seccomp_filter);
	}
	for (size_t i = 0; size && i < images_of(r)->entry->n_seccomp_filters; i++)
		size += images_of(r)->entry->seccomp_filters[i]->filter.len + ALIGNMENT;
	return size;
}

static int seccomp_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				    struct wire_thread *wire)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	struct wire_task *wire_task = (struct wire_task *)(uintptr_t)wire->task;

	wire->seccomp_mode = mode_of(tce);
	if (wire->seccomp_mode != MODE_FILTER)
		return 0;
	size_t n = chain_length(images_of(r)->entry, tce->seccomp_filter);
	struct wire_seccomp_filter *to = wire_alloc(wire_task, n * sizeof(*to));
	if (!to)
		return no_memory("seccomp filters");
	uint32_t nr = tce->seccomp_filter;
	for (size_t i = n; i-- > 0;) {
		const SeccompFilter *f = images_of(r)->entry->seccomp_filters[nr];

		/* TSYNC would apply a thread's filters to all others. */
		to[i].flags = f->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
		to[i].nr = (uint16_t)(f->filter.len / sizeof(struct sock_filter));
		to[i].insns = place_filter(r, wire_task, nr);
		if (!to[i].insns)
			return no_memory("seccomp filters");
		nr = f->prev;
	}
	wire->filters = (uint64_t)(uintptr_t)to;
	wire->nr_filters = (uint32_t)n;
	return 0;
}

const struct task_kind seccomp_kind = {
	.name = "seccomp",
	.save_thread = seccomp_save_thread,
	.load = seccomp_load,
	.load_thread = seccomp_load_thread,
	.wire_size = seccomp_wire_size,
	.hand_over_thread = seccomp_hand_over_thread,
};

/* seccomp.img: written once, even without filters. */
const struct run_kind seccomp_run = {
	.name = "seccomp",
	.save = seccomp_write,
};
