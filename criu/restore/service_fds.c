/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of the tool, and of every process of a restore until it has become its task: above all that tasks have.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "restore/restore.h"
#include "run/limits.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* A soft limit has been raised already. */
int restore_make_room_for_fds(struct restore *r)
{
	struct rlimit lim = { 0, 0 };
	rlim_t need;

	r->service_base = MAX_OF(r->service_base, 16);
	need = (rlim_t)r->service_base + RESTORE_OWN_FDS;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return fail(-errno, "our own limit of open files");
	if (lim.rlim_max >= need)
		return 0;
	r->fd_limit_raised = true;
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ need, need }) < 0)
		return fail(-EMFILE,
			    "descriptor %d of the images needs a higher limit: ulimit -Hn is %lu, and has to be %lu",
			    r->service_base - 1, lim.rlim_max, need);
	return 0;
}

/* Moves descriptors of the tool that the tasks need above all that they will have themselves. */
int restore_move_service_fds(struct restore *r)
{
	int fd, err = restore_make_room_for_fds(r);

	if (err)
		return err;
	err = image_store_move_fds(r->dir, r->service_base);
	if (err < 0)
		return fail(err, "keep the images directory open");
	err = proc_root_move_above(r->service_base);
	if (err < 0)
		return fail(err, "keep /proc open");
	if (r->roots.root >= 0) {
		fd = move_fd_above(r->roots.root, r->service_base);
		if (fd < 0)
			return fail(fd, "keep the root directory open");
		r->roots.root = fd;
	}
	for (struct ns *ns = r->plan.namespaces.first; ns; ns = ns->next) {
		fd = ns->fd < 0 ? -1 : move_fd_above(ns->fd, r->service_base);
		if (ns->fd >= 0 && fd < 0)
			return fail(fd, "keep a %s namespace open (--join-ns)", ns_type_name(ns->type));
		ns->fd = fd;
	}
	if (log_fd() >= 0) {
		fd = dup_fd_above(log_fd(), r->service_base);
		if (fd < 0)
			return fail(fd, "keep the log open");
		log_to_fd(fd);
	}
	return 0;
}
