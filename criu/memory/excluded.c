/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is not saved: what the program has marked (MADV_DONTDUMP), with --skip-dontdump, and what --exclude-memory names. It
 * is not read, so it is not in any image, nor sent anywhere, and has no entry in the page map: a restore makes zeros of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "util/log.h"

/* Other memory has content without pages of its own, or pages that other mappings show, too. */
static bool may_be_excluded(const struct kernel_vma *v, const struct vma_flags *f)
{
	const bool special = v->name[0] == '[' && strncmp(v->name, "[anon:", 6) && strcmp(v->name, "[heap]") &&
			     strcmp(v->name, "[stack]");

	return !v->shared && !v->ino && !v->dev_major && !v->dev_minor && !special && !(f->flags & BIT(VMF_HT));
}

static bool is_marked(const struct dump *dump, const struct vma_flags *f)
{
	return dump->opts->skip_dontdump && f->flags & BIT(VMF_DD);
}

static int add(struct dump_task *dt, uint64_t start, uint64_t end)
{
	struct excluded_ranges *all = &dt->memory->excluded;
	struct excluded_range *last = all->n ? &all->v[all->n - 1] : NULL;

	if (last && start <= last->end) {
		last->end = MAX_OF(last->end, end);
		return 0;
	}
	return array_add(all, ((struct excluded_range){ start, end })) ? fail(-ENOMEM, "excluded memory") : 0;
}

/* Those of the options are sorted. */
static int add_named(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v)
{
	const struct options *opts = dump->opts;
	int err = 0;

	for (size_t i = 0; !err && i < opts->excluded_nr; i++) {
		const struct memory_range *r = &opts->excluded[i];

		if (r->pid == dt->t.host_pid && r->start < v->end && r->end > v->start)
			err = add(dt, MAX_OF(r->start, v->start), MIN_OF(r->end, v->end));
	}
	return err;
}

static int refuse(const struct memory_range *r, const char *why)
{
	log_error("--exclude-memory %d:%lx-%lx: %s", r->pid, r->start, r->end, why);
	return -EINVAL;
}

/* All of a range that was named is excluded, or the dump fails. */
static int check_named(const struct dump *dump, const struct dump_task *dt)
{
	for (size_t i = 0; i < dump->opts->excluded_nr; i++) {
		const struct memory_range *r = &dump->opts->excluded[i];
		bool whole = false;

		for (size_t j = 0; j < dt->memory->excluded.n; j++)
			whole |= r->start >= dt->memory->excluded.v[j].start && r->end <= dt->memory->excluded.v[j].end;
		if (r->pid == dt->t.host_pid && !whole)
			return refuse(
				r,
				"not all of it is private anonymous memory of this process, which is all that can be excluded");
	}
	return 0;
}

/* With the first process: is each of another one that has memory? */
static int check_pids(struct dump *dump)
{
	for (size_t i = 0; i < dump->opts->excluded_nr; i++) {
		const struct memory_range *r = &dump->opts->excluded[i];
		struct dump_task *dt, *found = NULL;

		dump_for_each_task(dt, dump)
			if (dt->t.host_pid == r->pid && dt->t.state != TASK_DEAD)
				found = dt;
		if (!found)
			return refuse(r, "there is no such process in the tree");
		if (!found->mm_owner)
			return refuse(r,
				      "this process uses the memory of another one (CLONE_VM): give the pid of that");
	}
	return 0;
}

int memory_find_excluded(struct dump *dump, struct dump_task *dt)
{
	int err = &dt->t == dump->tree.root ? check_pids(dump) : 0;
	uint64_t marked = 0;

	dt->memory->excluded.n = 0;
	for (size_t i = 0; !err && i < dt->maps.n; i++) {
		const struct kernel_vma *v = &dt->maps.v[i];

		if (!may_be_excluded(v, &dt->vma_flags.v[i]))
			continue;
		if (is_marked(dump, &dt->vma_flags.v[i])) {
			err = add(dt, v->start, v->end);
			marked += v->end - v->start;
		} else {
			err = add_named(dump, dt, v);
		}
	}
	if (!err)
		err = check_named(dump, dt);
	if (!err && marked)
		log_warn(
			"--skip-dontdump: %" PRIu64
			" KiB of memory of process %d are not saved, and will be zeros: it must be able to fill them again",
			marked >> 10, dt->t.host_pid);
	for (size_t i = 0; !err && i < dt->memory->excluded.n; i++)
		log_info("memory %lx-%lx is not saved, and will be zeros", dt->memory->excluded.v[i].start,
			 dt->memory->excluded.v[i].end);
	return err;
}
