// SPDX-License-Identifier: GPL-2.0-only
/* criu cpuinfo dump, criu cpuinfo check: without a process tree. */
#include "cpu/cpuinfo.h"
#include "image/dir.h"
#include "run/options.h"
#include "util/log.h"

static int open_images(const struct options *opts, struct image_store **ret)
{
	int err = image_dir_open_fd(opts->images_dir_fd, ret);

	return err ? fail(err, "%s", opts->images_dir) : 0;
}

int cpuinfo_dump(const struct options *opts)
{
	_cleanup_image_store_ struct image_store *store = NULL;
	int err = open_images(opts, &store);

	if (err)
		return err;
	err = image_store_begin_beside(store);
	if (err)
		return fail(err, "%s", image_store_error(store));
	err = cpuinfo_write(store);
	if (err)
		return err;
	err = image_store_commit(store);
	return err ? fail(err, "%s", image_store_error(store)) : 0;
}

int cpuinfo_check(const struct options *opts)
{
	_cleanup_image_store_ struct image_store *store = NULL;
	int err = open_images(opts, &store);

	if (err)
		return err;
	err = image_store_lock_for_reading(store);
	if (err)
		return fail(err, "%s", image_store_error(store));
	return cpuinfo_compare(store, opts->cpu_cap | CPU_CAP_IMAGE);
}
