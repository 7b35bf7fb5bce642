// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/undo.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/restore.h"
#include "run/helper_process.h"
#include "util/fds.h"
#include "util/log.h"

#define REMOVE_AT_MOST_MS 5000

struct note {
	_Atomic bool valid;
	bool is_dir;
	int dir; /* in the helper: @path is relative to it */
	char path[PATH_MAX];
};

/* In memory that the tool, processes in its namespaces, and the helper share. */
struct mount_undo {
	struct helper_process process;
	int order_in; /* in the helper. A byte, or the end of all that could still create a name: remove them */
	int order_out; /* in the tool, processes in its namespaces, and tasks until they run */
	size_t max;
	_Atomic size_t nr;
	struct note notes[];
};

struct undo_job {
	struct mount_undo *undo;
	struct shared *shared;
};

static size_t size_of(size_t max)
{
	return sizeof(struct mount_undo) + max * sizeof(struct note);
}

/* ---- in the helper ---- */

/* No link is followed, no mount entered: see find.c. */
static void remove_one(const struct note *note)
{
	char path[PATH_MAX];
	char *slash = strrchr(strcpy(path, note->path), '/');
	const char *name = slash ? slash + 1 : path;

	if (slash)
		*slash = 0;
	_cleanup_close_ int dir = mount_find(note->dir, slash ? path : "");
	if (dir >= 0)
		unlinkat(dir, name, note->is_dir ? AT_REMOVEDIR : 0);
}

static int wait_and_remove(void *arg)
{
	const struct undo_job *job = arg;
	struct mount_undo *undo = job->undo;
	char byte;

	while (read(undo->order_in, &byte, 1) < 0)
		if (errno != EINTR)
			return 1;
	if (atomic_load(&job->shared->birth->committed))
		return 0;
	for (size_t i = atomic_load(&undo->nr); i-- > 0;)
		if (atomic_load(&undo->notes[i].valid))
			remove_one(&undo->notes[i]);
	return 0;
}

/* ---- in the tool ---- */

/* The path of a file on @mount, in its origin. -ENAMETOOLONG */
static int path_in_origin(const struct mount_origin *origin, const struct mount *mount, const char *path, char *ret)
{
	const char *root = mount == origin->mount ? "" : mount_below(origin->root, mount->entry->root);

	return str_format(ret, PATH_MAX, "%s%s%s", root, *root && *path ? "/" : "", path);
}

/* What the file system of @mount comes from, if it is outside; NULL: it is new. */
static struct mount_origin *outside(const struct mount *mount)
{
	struct mount_origin *origin = mount_origin_for(mount);

	return origin && origin->mount ? origin : NULL;
}

static size_t components(const char *path)
{
	size_t n = 1;

	while ((path = strchr(path, '/'))) {
		path++;
		n++;
	}
	return n;
}

/* For how many names has there to be room? */
static size_t missing_of(const struct mount *mount, int *ret_err)
{
	struct mount_origin *origin = mount->parent ? outside(mount->parent) : NULL;
	struct mount_origin *own = mount_is_removed(mount) ? outside(mount) : NULL;
	size_t names = own ? MOUNT_REMOVED_NAMES : 0;
	const char *below;
	char path[PATH_MAX];

	if (own)
		own->lacks_points = true;
	if (!origin || origin->fd < 0)
		return names;
	below = mount_below(MOUNT_NAME(mount->parent), MOUNT_NAME(mount));
	if (path_in_origin(origin, mount->parent, below, path)) {
		*ret_err = fail(-ENAMETOOLONG, "mount %s", MOUNT_NAME(mount));
		return 0;
	}
	_cleanup_close_ int fd = mount_find(origin->fd, path);
	if (fd != -ENOENT)
		return names;
	origin->lacks_points = true;
	return names + components(below);
}

/* A mount of the helper's own for each file system. */
static int open_mounts(struct restore *r, struct helper_job *job)
{
	struct mount *mount;

	mounts_for_each_of_all(mount, &r->plan.namespaces)
	{
		struct mount_origin *origin = outside(mount);
		int *keeps;

		if (!origin || !origin->lacks_points || origin->undo >= 0)
			continue;
		keeps = reallocarray(job->keeps, job->nr_keeps + 1, sizeof(*keeps));
		if (!keeps)
			return fail(-ENOMEM, "mounts");
		job->keeps = keeps;
		origin->undo = mount_open_source(r, origin->mount);
		if (origin->undo < 0)
			return origin->undo;
		job->keeps[job->nr_keeps++] = origin->undo;
	}
	return 0;
}

/* The helper has them. Their numbers are used further on. */
static void close_mounts(struct restore *r)
{
	struct mount *mount;

	mounts_for_each_of_all(mount, &r->plan.namespaces)
	{
		struct mount_origin *origin = outside(mount);

		if (origin && origin->lacks_points && origin->undo >= 0)
			close(origin->undo);
		if (origin)
			origin->lacks_points = false;
	}
}

static int start_helper(struct restore *r, struct mount_undo *undo, struct helper_job *job)
{
	int ends[2], high, err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	undo->order_out = ends[0];
	undo->order_in = ends[1];
	job->keeps[job->nr_keeps++] = undo->order_in;
	err = helper_start(&undo->process, job);
	close(undo->order_in);
	/* Tasks inherit them: their numbers are below. */
	if (!err && (high = move_fd_above(undo->order_out, r->service_base)) >= 0)
		undo->order_out = high;
	if (!err && (high = move_fd_above(undo->process.pidfd, r->service_base)) >= 0)
		undo->process.pidfd = high;
	if (err)
		close(undo->order_out);
	return err;
}

static int start(struct restore *r, struct mount_undo *undo)
{
	struct undo_job own = { undo, r->shared };
	struct helper_job job = { .run = wait_and_remove, .arg = &own, .keeps = calloc(1, sizeof(int)) };
	int err = job.keeps ? open_mounts(r, &job) : fail(-ENOMEM, "mounts");
	int *keeps = err ? NULL : reallocarray(job.keeps, job.nr_keeps + 1, sizeof(*keeps));

	if (keeps) {
		job.keeps = keeps;
		err = start_helper(r, undo, &job);
		if (err)
			err = fail(err, "start the process that removes mount points after a failure");
	} else if (!err) {
		err = fail(-ENOMEM, "mounts");
	}
	close_mounts(r);
	free(job.keeps);
	return err;
}

int mount_undo_prepare(struct restore *r)
{
	struct mount_restore *data = mount_restore_data(r);
	struct mount_undo *undo;
	struct mount *mount;
	size_t max = 0;
	int err = 0;

	mounts_for_each_of_all(mount, &r->plan.namespaces) if (!err) max += missing_of(mount, &err);
	if (err || !max)
		return err;
	undo = mmap(NULL, size_of(max), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (undo == MAP_FAILED)
		return fail(-errno, "memory for mount points");
	undo->process = HELPER_NONE;
	undo->max = max;
	err = start(r, undo);
	if (err)
		munmap(undo, size_of(max));
	else
		data->undo = undo;
	return err;
}

int mount_undo_note(struct restore *r, const struct mount *mount, const char *path, bool is_dir, size_t *ret_note)
{
	struct mount_undo *undo = mount_restore_data(r)->undo;
	const struct mount_origin *origin = outside(mount);
	struct note *note;
	size_t nr;

	*ret_note = 0;
	if (!origin)
		return 0;
	nr = undo ? atomic_load(&undo->nr) : 0;
	/* One that is below a link, say, which has just come: it is opened by nobody. */
	if (!undo || nr == undo->max || origin->undo < 0)
		return fail(-ESTALE, "mount %s: %s has been removed in the meantime", MOUNT_NAME(mount), path);
	note = &undo->notes[nr];
	note->dir = origin->undo;
	note->is_dir = is_dir;
	if (path_in_origin(origin, mount, path, note->path))
		return fail(-ENAMETOOLONG, "mount %s: %s", MOUNT_NAME(mount), path);
	atomic_store(&note->valid, true);
	atomic_store(&undo->nr, nr + 1);
	*ret_note = nr + 1;
	return 0;
}

void mount_undo_drop(struct restore *r, size_t note)
{
	if (note)
		atomic_store(&mount_restore_data(r)->undo->notes[note - 1].valid, false);
}

void mount_undo_end(struct restore *r, bool remove)
{
	struct mount_restore *data = mount_restore_data(r);
	struct mount_undo *undo = data ? data->undo : NULL;
	struct pollfd end = { .events = POLLIN };

	if (!undo)
		return;
	data->undo = NULL;
	end.fd = undo->process.pidfd;
	if (remove && (write_full(undo->order_out, "r", 1) < 0 || poll(&end, 1, REMOVE_AT_MOST_MS) <= 0))
		log_warn("mount points that this restore has created may not have been removed");
	close(undo->order_out);
	if (!remove || !helper_has_ended(&undo->process))
		helper_kill(&undo->process);
	munmap(undo, size_of(undo->max));
}
