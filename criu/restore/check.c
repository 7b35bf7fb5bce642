/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu check -D: would a restore succeed here? Load and link, which have no side effects, and then the check hooks of kinds,
 * which find out what later phases would come across. What fails is reported, and the rest is still checked.
 */
#include <errno.h>
#include "memory/memory.h"
#include "pie/vma.h"
#include "restore/check_numbers.h"
#include "restore/restore.h"
#include "run/obstacles.h"
#include "run/opener.h"
#include "run/restore.h"
#include "util/array.h"
#include "util/log.h"

ARRAY_OF(obstacle_array, struct obstacle);

struct kept {
	struct restore *r;
	struct obstacle_array list;
	bool lost;
};

/* Files are read before tasks are: who has them is only known at the end. */
static void take_error(void *arg, const char *text)
{
	struct kept *kept = arg;
	struct obstacle obstacle = kept->r->check->about;

	obstacle.text = arena_strdup(&kept->r->arena, text);
	kept->lost |= !obstacle.text || array_add(&kept->list, obstacle);
}

/* If link was left out. */
static void find_owners(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		for (size_t i = 0; i < rt->nr_fds; i++) {
			struct file *file = rt->fds[i].file;

			if (!file || file->owner)
				continue;
			file->owner = rt;
			file->owner_fd = rt->fds[i].fd;
		}
	}
}

/* A file that no task has as a descriptor: the first task that it is the executable of, or a directory. */
static const struct restore_task *user_of(struct restore *r, const struct file *file)
{
	const struct restore_task *rt;

	if (file->owner)
		return file->owner;
	restore_for_each_task(rt, r) {
		if ((rt->mm && rt->mm->exe_file_id == file->id) ||
		    (rt->fs && (rt->fs->cwd_id == file->id || rt->fs->root_id == file->id)))
			return rt;
		for (size_t i = 0; rt->mm && i < rt->mm->n_vmas; i++)
			if (rt->mm->vmas[i]->shmid == file->id &&
			    rt->mm->vmas[i]->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED))
				return rt;
	}
	return NULL;
}

/* What no task has, other files have: the name of a terminal, say, which their kinds know how to deal with. */
static int check_files(struct restore *r)
{
	int err = 0;

	for (size_t i = 0; !err && i < r->plan.nr_files; i++) {
		struct file *file = &r->plan.files[i];
		const struct restore_task *user = file->loaded ? user_of(r, file) : NULL;

		if (!user || !file->kind->check)
			continue;
		restore_is_about(r, NULL, user, file);
		err = file->kind->check(r, file, file->state);
		opener_leave(r);
		/* What it found out was all that it could. */
		err = err == -ENOMEM ? err : 0;
	}
	return err;
}

static int check_kinds(struct restore *r)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind) {
		if (err || !kind->check)
			continue;
		restore_is_about(r, kind->name, NULL, NULL);
		err = kind->check(r);
		err = err == -ENOMEM ? err : 0;
	}
	return err;
}

static int check_rights(struct restore *r)
{
	return restore_continues(r, rights_need(&r->tool.rights, RIGHT_SET_PIDS, "assign pids to the processes"));
}

static void check_memory(struct restore *r)
{
	restore_is_about(r, "memory", NULL, NULL);
	memory_check_available(r); /* the obstacle is logged */
}

/* The checks of kinds rely on what load and link found to be right. */
static int check_here(struct restore *r)
{
	int err = check_rights(r);

	if (!err)
		err = check_numbers(r);
	if (!err)
		check_memory(r);
	if (!err && !r->check->incomplete)
		err = check_kinds(r);
	find_owners(r);
	return err ? err : check_files(r);
}

static int check_all(struct restore *r)
{
	int err = restore_continues(r, restore_open_root(r));

	if (!err)
		err = rights_probe(&r->tool.rights);
	r->rights = r->tool.rights;
	if (!err)
		err = restore_open_images(r);
	if (!err)
		err = restore_load(r);
	/* After that, nothing is known that could be checked. */
	if (err)
		return err;
	restore_is_about(r, NULL, NULL, NULL);
	if (!r->check->incomplete)
		err = restore_link(r);
	restore_is_about(r, NULL, NULL, NULL);
	if (!err)
		err = restore_continues(r, restore_verify_images(r));
	return err ? err : check_here(r);
}

static void report(struct restore *r, const struct kept *kept)
{
	struct obstacle *o;

	find_owners(r);
	array_for_each(o, &kept->list) {
		const struct restore_task *user = o->file && !o->pid ? user_of(r, o->file) : NULL;

		if (user) {
			o->pid = user->t.pid;
			o->comm = user->t.comm;
			o->fd = o->file->owner_fd;
		}
		r->check->nr++;
		r->check->report(r->check->arg, o);
	}
}

int restore_check(const struct options *opts, struct obstacles *obstacles)
{
	struct kept kept = { .r = restore_new(opts) };
	int err;

	if (!kept.r)
		return fail(-ENOMEM, "check");
	kept.r->check = obstacles;
	obstacles->about = (struct obstacle){ .fd = -1 };
	log_divert(take_error, &kept);
	err = check_all(kept.r);
	log_divert(NULL, NULL);
	if (err)
		obstacles->incomplete = true;
	report(kept.r, &kept);
	array_free(&kept.list);
	restore_free(kept.r);
	if (kept.lost)
		err = -ENOMEM;
	/* An error that was reported is an obstacle like any other. */
	return err && (err == -ENOMEM || !obstacles->nr) ? fail(err, "check the images in %s", opts->images_dir) : 0;
}
