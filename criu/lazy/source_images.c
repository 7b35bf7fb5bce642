// SPDX-License-Identifier: GPL-2.0-only
/* criu page-server --lazy-pages */
#include <errno.h>
#include <sys/signalfd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "image/pagemap.h"
#include "lazy/source.h"
#include "run/background.h"
#include "run/interrupt.h"
#include "run/options.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "util/log.h"

struct served {
	struct image_store *dir;
	struct pagemap *map; /* of the process that was asked for last */
	pid_t pid;
};

static int use_map(struct served *served, pid_t pid)
{
	int err;

	if (served->map && served->pid == pid)
		return 0;
	pagemap_free(served->map);
	served->map = NULL;
	err = pagemap_load(served->dir, IMAGE_PAGEMAP, (uint64_t)pid, &served->map);
	served->pid = pid;
	if (!err && served->map->has_blocks)
		return fail(-EOPNOTSUPP, "process %d: lazy pages of compressed images are not supported", pid);
	return err ? fail(err, "process %d: %s", pid, image_store_error(served->dir)) : 0;
}

/* What precedes a damaged page is sent; the page itself never. */
static int check_sums(const struct pagemap_run *run, uint64_t vaddr, const char *pages, uint64_t *len)
{
	const uint32_t *sums = run->sums + (vaddr - run->vaddr) / PAGE_SZ;

	for (uint64_t done = 0; done < *len; done += PAGE_SZ) {
		if (crc32c(0, pages + done, PAGE_SZ) == sums[done / PAGE_SZ])
			continue;
		*len = done;
		return done ? 0 : fail(-EBADMSG, "the images are damaged: the page at %lx has another checksum", vaddr);
	}
	return 0;
}

static int read_images(void *arg, pid_t pid, uint64_t vaddr, void *to, uint64_t *len)
{
	struct served *served = arg;
	const struct pagemap_run *run;
	int err = use_map(served, pid);

	if (err)
		return err;
	run = pagemap_find(served->map, vaddr);
	if (!run || run->vaddr > vaddr || !(run->flags & PAGEMAP_PRESENT))
		return fail(-ENODATA, "the images have no page at %lx of process %d", vaddr, pid);
	*len = MIN_OF(*len, run->vaddr + run->nr_pages * PAGE_SZ - vaddr);
	err = pread_exact(pagemap_source(served->map, run), to, *len, (off_t)(run->offset + (vaddr - run->vaddr)));
	if (err)
		return fail(err, "pages at %lx of process %d", vaddr, pid);
	return run->sums ? check_sums(run, vaddr, to, len) : 0;
}

static int serve(const struct options *opts, struct served *served, int ready)
{
	const struct lazy_source source = { .read = read_images,
					    .arg = served,
					    .if_lost = "the images are complete here" };
	_cleanup_close_ int signals = -1;
	sigset_t mask, was;
	int err;

	interrupt_begin(&was);
	interrupt_signals(&mask);
	signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	err = signals < 0 ? fail(-errno, "signalfd") : lazy_source_serve(opts, &source, signals, ready);
	interrupt_end(&was);
	return err;
}

int lazy_images_serve(const struct options *opts)
{
	_cleanup_close_ int ready = -1;
	struct served served = { 0 };
	int err = image_dir_open_fd(opts->images_dir_fd, &served.dir);

	if (err)
		return fail(err, "open the images directory %s", opts->images_dir);
	if (!image_store_is_dump(served.dir))
		err = fail(-ENOENT, "%s contains no dump", opts->images_dir);
	if (!err && opts->restore_detached)
		err = background_enter(&ready);
	if (!err)
		err = serve(opts, &served, ready);
	pagemap_free(served.map);
	image_store_close(served.dir);
	return err;
}
