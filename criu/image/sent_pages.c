// SPDX-License-Identifier: GPL-2.0-only
#include "image/sent_pages.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/reader.h"
#include "image/store_ops.h"
#include "image/writer.h"
#include "sent-pages.pb-c.h"

int sent_runs_add(struct sent_runs *runs, uint64_t start, uint64_t end)
{
	if (runs->n && runs->v[runs->n - 1].end == start) {
		runs->v[runs->n - 1].end = end;
		return 0;
	}
	return array_add(runs, ((struct sent_run){ start, end }));
}

int sent_pages_write(struct image_store *dir, uint64_t pid, const struct sent_pages *sent)
{
	const struct sent_runs *runs = &sent->runs;
	_cleanup_free_ uint64_t *vaddr = calloc(runs->n + 1, sizeof(*vaddr));
	_cleanup_free_ uint64_t *nr_pages = calloc(runs->n + 1, sizeof(*nr_pages));
	SentPagesEntry entry = SENT_PAGES_ENTRY__INIT;

	if (!vaddr || !nr_pages)
		return image_store_fail(dir, -ENOMEM, "list of pages");
	for (size_t i = 0; i < runs->n; i++) {
		vaddr[i] = runs->v[i].start;
		nr_pages[i] = (runs->v[i].end - runs->v[i].start) / PAGE_SZ;
	}
	entry.run_id = (char *)sent->run_id;
	entry.has_by_stream = entry.by_stream = sent->by_stream;
	entry.n_vaddr = entry.n_nr_pages = runs->n;
	entry.vaddr = vaddr;
	entry.nr_pages = nr_pages;
	return image_write_single(dir, IMAGE_SENT_PAGES, pid, &entry.base);
}

static int add_runs(struct image_store *dir, const SentPagesEntry *entry, struct pagemap *map)
{
	uint64_t end = 0, bytes;

	if (entry->n_vaddr != entry->n_nr_pages)
		return image_store_fail(dir, -EBADMSG, "%zu addresses of %zu runs", entry->n_vaddr, entry->n_nr_pages);
	for (size_t i = 0; i < entry->n_vaddr; i++) {
		const uint64_t vaddr = entry->vaddr[i], n = entry->nr_pages[i];
		struct pagemap_run *run;

		if (vaddr % PAGE_SZ || vaddr < end || !n || __builtin_mul_overflow(n, PAGE_SZ, &bytes) ||
		    __builtin_add_overflow(vaddr, bytes, &end))
			return image_store_fail(dir, -EBADMSG, "invalid: %lu pages at %#lx", n, vaddr);
		run = pagemap_append_run(map);
		if (!run)
			return image_store_fail(dir, -ENOMEM, "list of pages");
		*run = (struct pagemap_run){ .vaddr = vaddr, .nr_pages = n, .flags = PAGEMAP_PRESENT };
	}
	return 0;
}

int sent_pages_load(struct image_store *dir, uint64_t pid, const struct sent_pages *wanted, struct pagemap **ret_map)
{
	_cleanup_record_ SentPagesEntry *entry = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;
	int err = image_read_single(dir, IMAGE_SENT_PAGES, pid, &entry);

	if (err)
		return err;
	/* An older run has left it: images that a dump does not write stay. */
	if (strcmp(entry->run_id, wanted->run_id))
		return -ENOENT;
	if (entry->by_stream != wanted->by_stream)
		return image_store_fail(dir, -EBADMSG, "their pages were sent %s: send these the same way",
					entry->by_stream ? "in a stream (--stream)" :
							   "to a page server (--page-server)");
	map = calloc(1, sizeof(*map));
	if (!map)
		return image_store_fail(dir, -ENOMEM, "list of pages");
	err = add_runs(dir, entry, map);
	if (!err)
		*ret_map = steal_ptr(&map);
	return err;
}
