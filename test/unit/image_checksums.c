// SPDX-License-Identifier: GPL-2.0-only
/* Checksums of a directory's images: whatever is changed in one of them is noticed. */
#include "image_helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir.h"
#include "image/page_map_runs.h"
#include "image/pagemap.h"
#include "image/verify.h"
#include "inventory.pb-c.h"
#include "pstree.pb-c.h"
#include "util/crc32c.h"

static int write_pstree(struct image_store *dir, uint32_t pid)
{
	PstreeEntry entry = PSTREE_ENTRY__INIT;

	entry.pid = pid;
	return image_write_single(dir, IMAGE_PSTREE, 0, &entry.base);
}

#define RUN "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_RUN "01234567-89ab-cdef-0123-456789abcdee"

static int write_inventory(struct image_store *dir, bool checksums)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;

	entry.dump_criu_run_id = RUN;

	entry.img_version = 2;
	entry.has_checksums = entry.checksums = checksums;
	return image_write_single(dir, IMAGE_INVENTORY, 0, &entry.base);
}

/* One that is written in several pieces. */
static int write_large(struct image_store *dir)
{
	struct image_writer *img;
	char text[5000];
	int err = image_create(dir, IMAGE_TMPFS_IMG, 3, &img);

	for (int i = 0; !err && i < 100; i++) {
		memset(text, i, sizeof(text));
		err = image_write_raw(img, text, sizeof(text));
	}
	return err ? err : image_close(img);
}

static int dump(struct image_store *dir, bool hold)
{
	int err = image_store_begin(dir);

	if (hold)
		image_store_hold(dir);
	return err ?: write_inventory(dir, true) ?: write_pstree(dir, 1) ?: write_large(dir) ?: image_store_commit(dir);
}

/* 0, or what a restore would fail with. */
static int verify(const char *path, char *ret_error, size_t size)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_record_ InventoryEntry *inventory = NULL;
	_cleanup_record_ PstreeEntry *tree = NULL;
	int err = image_dir_open(path, &dir);

	if (!err)
		err = image_read_single(dir, IMAGE_INVENTORY, 0, &inventory);
	if (!err)
		err = image_use_checksums(dir, inventory);
	if (!err)
		err = image_read_single(dir, IMAGE_PSTREE, 0, &tree);
	if (!err)
		err = image_store_verify_all(dir);
	snprintf(ret_error, size, "%s", dir ? image_store_error(dir) : "");
	return err;
}

static const char *good(const char *path)
{
	char error[256];

	return verify(path, error, sizeof(error)) ? because("%s", error) : NULL;
}

static const char *bad(const char *path, const char *name)
{
	char error[256];

	EXPECT(verify(path, error, sizeof(error)) == -EBADMSG);
	return strstr(error, name) ? NULL : because("not named: %s", error);
}

/* Every bit of the small images, some of the large one. */
static const char *flip_bits(const char *path, const char *name, size_t step)
{
	size_t len;
	_cleanup_free_ uint8_t *buf = slurp(path, name, &len);

	EXPECT(buf && len);
	for (size_t at = 0; at < len; at += step)
		for (int bit = 0; bit < 8; bit++) {
			const char *why;

			buf[at] ^= 1 << bit;
			spew(path, name, buf, len);
			why = bad(path, name);
			if (why)
				return because("%s, byte %zu, bit %d: %s", name, at, bit, why);
			buf[at] ^= 1 << bit;
		}
	spew(path, name, buf, len);
	return good(path);
}

static const char *flips(bool hold)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *why;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, hold));
	why = good(path) ?: flip_bits(path, "pstree.img", 1) ?: flip_bits(path, "checksums.img", 1);
	return why ?: flip_bits(path, "tmpfs-3.tar.gz.img", 100003);
}

static const char *test_flips(void)
{
	return flips(false);
}

static const char *test_held(void)
{
	return flips(true);
}

/* In the inventory, the field that says that there are checksums may be what is damaged. */
static const char *test_inventory(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, false));
	buf = slurp(path, "inventory.img", &len);
	EXPECT(buf && buf[9] == 2); /* img_version */
	buf[9] = 3;
	spew(path, "inventory.img", buf, len);
	return bad(path, "inventory.img");
}

static const char *test_lengths(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *buf = NULL;
	const char *why;
	char file[512];
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, false));
	buf = slurp(path, "tmpfs-3.tar.gz.img", &len);
	EXPECT(buf && len == 500000);
	spew(path, "tmpfs-3.tar.gz.img", buf, len - 1);
	why = bad(path, "tmpfs-3.tar.gz.img");
	if (why)
		return why;
	snprintf(file, sizeof(file), "%s/tmpfs-3.tar.gz.img", path);
	EXPECT(!unlink(file));
	return bad(path, "tmpfs-3.tar.gz.img is missing");
}

/* CRIU replaces images, but not the checksums, which it does not know. */
static const char *test_replaced_by_criu(void)
{
	_cleanup_scratch_ char *path = scratch_create(), *other = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL, *theirs = NULL;
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, false) && !image_dir_open(other, &theirs));
	EXPECT(!image_store_begin(theirs) && !write_inventory(theirs, false) && !image_store_commit(theirs));
	buf = slurp(other, "inventory.img", &len);
	spew(path, "inventory.img", buf, len);
	return good(path);
}

/* A CPU's description that is written later replaces the one of the dump. */
static const char *test_beside(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *why;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, false));
	EXPECT(!image_store_begin(dir) && !write_pstree(dir, 2) && !image_store_commit(dir));
	why = good(path) ?: flip_bits(path, "pstree.img", 1);
	if (why)
		return why;
	EXPECT(!image_store_begin(dir) && !write_pstree(dir, 3));
	image_store_abort(dir);
	/* pstree.img of the dump is there again, and so are its checksums. */
	return good(path);
}

/* What a page server writes; @run: NULL: not known. */
static int serve(struct image_store *dir, const char *run, uint32_t pid)
{
	struct uuid uuid;
	int err = image_store_begin(dir);

	image_store_part(dir, 65536);
	if (run && uuid_parse(run, &uuid))
		image_store_set_run(dir, &uuid);
	return err ?: write_pstree(dir, pid) ?: image_store_commit(dir);
}

static int write_inventory_alone(struct image_store *dir)
{
	return image_store_begin(dir) ?: write_inventory(dir, true) ?: image_store_commit(dir);
}

/* Those of a page server's images are in an image of their own; a later dump's own page maps count. */
static const char *test_part(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;

	EXPECT(!image_dir_open(path, &dir) && !serve(dir, RUN, 4) && !write_inventory_alone(dir));
	EXPECT(!flip_bits(path, "pstree.img", 1));
	EXPECT(!flip_bits(path, "checksums-pages.img", 1));
	EXPECT(!dump(dir, false) && !good(path));
	EXPECT(!flip_bits(path, "pstree.img", 1));
	return NULL;
}

static int write_map(struct image_store *dir, uint64_t pid, uint64_t vaddr)
{
	_cleanup_pagemap_writer_ struct pagemap_writer *map = NULL;
	struct image_extent pages;
	int err = pagemap_create(dir, IMAGE_PAGEMAP, pid, &map, &pages);

	if (!err) {
		cleanup_close(&pages.fd);
		err = pagemap_add(map, vaddr, 1, PAGEMAP_PARENT);
	}
	return err ?: pagemap_close(steal_ptr(&map));
}

/* Those that a server wrote for another dump are not compared with anything, whatever they are. */
static const char *test_part_of_another(void)
{
	const char *runs[] = { OTHER_RUN, NULL };

	for (size_t i = 0; i < 2; i++) {
		_cleanup_scratch_ char *path = scratch_create();
		_cleanup_image_store_ struct image_store *dir = NULL;
		_cleanup_free_ uint8_t *buf = NULL;
		char error[256];
		size_t len;

		EXPECT(!image_dir_open(path, &dir) && !serve(dir, runs[i], 4) && !write_inventory_alone(dir));
		buf = slurp(path, "pstree.img", &len);
		EXPECT(buf);
		buf[len - 1] ^= 1;
		spew(path, "pstree.img", buf, len);
		EXPECT(verify(path, error, sizeof(error)) != -EBADMSG);
	}
	return NULL;
}

/* Nor those that are left where a dump has written its page maps itself, even if nothing can be read there. */
static const char *test_left_by_a_server(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && !serve(dir, RUN, 4));
	EXPECT(!image_store_begin(dir) && !write_inventory(dir, true) && !write_pstree(dir, 5) &&
	       !write_map(dir, 7, PAGE_SZ) && !image_store_commit(dir) && !good(path));
	buf = slurp(path, "checksums-pages.img", &len);
	EXPECT(buf);
	spew(path, "checksums-pages.img", buf, len / 2);
	return good(path);
}

static int serve_map(struct image_store *dir, const char *run)
{
	struct uuid uuid;
	int err = image_store_begin(dir);

	image_store_part(dir, 65536);
	if (run && uuid_parse(run, &uuid))
		image_store_set_run(dir, &uuid);
	return err ?: write_map(dir, 7, PAGE_SZ) ?: image_store_commit(dir);
}

/* Images of a page server that were put together with those of another dump are, unless their page map was replaced. */
static const char *test_put_together_wrongly(void)
{
	static const struct {
		const char *run;
		bool is_bad;
	} cases[] = { { RUN, false }, { OTHER_RUN, true }, { NULL, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_scratch_ char *path = scratch_create();
		_cleanup_image_store_ struct image_store *dir = NULL;
		_cleanup_free_ uint8_t *buf = NULL;
		char error[256];
		size_t len;

		EXPECT(!image_dir_open(path, &dir) && !serve_map(dir, cases[i].run) && !write_inventory_alone(dir));
		verify(path, error, sizeof(error));
		if ((strstr(error, "pagemap-7.img is of another dump") != NULL) != cases[i].is_bad)
			return because("%zu: %s", i, error);
		buf = slurp(path, "pagemap-7.img", &len);
		EXPECT(buf);
		buf[len - 1] ^= 1;
		spew(path, "pagemap-7.img", buf, len);
		verify(path, error, sizeof(error));
		EXPECT(!strstr(error, "of another dump"));
	}
	return NULL;
}

static int unlink_in(const char *path, const char *name)
{
	char file[512];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	return unlink(file);
}

/* Whose page map is it? */
static const char *test_page_map_runs(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	static const struct {
		const char *what;
		bool is_run, is_other;
	} steps[] = {
		{ "of a server", true, false },
		{ "of a server, for another dump, beside the older inventory", false, true },
		{ "of a dump, with what a server has left", true, false },
		{ "of a server for the other dump again", false, true },
		{ "of a server that does not know for whom, and no inventory", true, true },
	};

	EXPECT(!image_dir_open(path, &dir));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct page_map_runs runs = { 0 };
		struct uuid uuid;
		bool is_run = false, is_other = false, is_there = true;

		if (i == 4)
			EXPECT(!unlink_in(path, "inventory.img"));
		EXPECT(!image_store_begin(dir));
		if (i != 2) {
			image_store_part(dir, 65536);
			if (i != 4 && uuid_parse(i == 0 ? RUN : OTHER_RUN, &uuid))
				image_store_set_run(dir, &uuid);
		} else {
			EXPECT(!write_inventory(dir, true));
		}
		EXPECT(!write_map(dir, 7, (i + 1) * PAGE_SZ) && !image_store_commit(dir));
		if (i == 0)
			EXPECT(!write_inventory_alone(dir));
		EXPECT(!page_map_runs_read(dir, &runs));
		EXPECT(!page_map_runs_match(&runs, IMAGE_PAGEMAP, 7, RUN, &is_run));
		EXPECT(!page_map_runs_match(&runs, IMAGE_PAGEMAP, 7, OTHER_RUN, &is_other));
		EXPECT(!page_map_runs_match(&runs, IMAGE_PAGEMAP, 8, RUN, &is_there));
		page_map_runs_free(&runs);
		if (is_run != steps[i].is_run || is_other != steps[i].is_other || is_there)
			return because("%s: %d %d %d", steps[i].what, is_run, is_other, is_there);
	}
	return NULL;
}

static const char *test_uuid(void)
{
	static const char *bad[] = { "",
				     "0",
				     RUN "0",
				     "01234567-89ab-cdef-0123-456789abcdeg",
				     "01234567089ab-cdef-0123-456789abcdef",
				     "0123456--89ab-cdef-0123-456789abcdef",
				     "01234567-89AB-cdef-0123-456789abcdef" };
	char text[UUID_SIZE];
	struct uuid uuid;

	EXPECT(uuid_parse(RUN, &uuid) && uuid.high == 0x0123456789abcdef && uuid.low == 0x0123456789abcdef);
	uuid_format(&uuid, text);
	EXPECT(!strcmp(text, RUN));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (uuid_parse(bad[i], &uuid) || !uuid_is_zero(&uuid))
			return because("%s is a UUID", bad[i]);
	return NULL;
}

static const char *test_pages(void)
{
	_cleanup_free_ uint8_t *pages = malloc(10 * CRC32C_PAGE);
	uint32_t sums[10];

	for (size_t i = 0; i < 10 * CRC32C_PAGE; i++)
		pages[i] = (uint8_t)(i * i >> 7);
	for (size_t n = 0; n <= 10; n++) {
		memset(sums, 0, sizeof(sums));
		crc32c_pages(pages, n, sums);
		for (size_t i = 0; i < n; i++)
			EXPECT(sums[i] == crc32c(0, pages + i * CRC32C_PAGE, CRC32C_PAGE));
		EXPECT(n == 10 || !sums[n]);
	}
	return NULL;
}

int main(void)
{
	run_case("flips", test_flips);
	run_case("held", test_held);
	run_case("inventory", test_inventory);
	run_case("lengths", test_lengths);
	run_case("replaced-by-criu", test_replaced_by_criu);
	run_case("beside", test_beside);
	run_case("part", test_part);
	run_case("part-of-another", test_part_of_another);
	run_case("put-together-wrongly", test_put_together_wrongly);
	run_case("left-by-a-server", test_left_by_a_server);
	run_case("page-map-runs", test_page_map_runs);
	run_case("uuid", test_uuid);
	run_case("pages", test_pages);
	return cases_failed();
}
