// SPDX-License-Identifier: GPL-2.0-only
/* Checksums of a directory's images: whatever is changed in one of them is noticed. */
#include "image_helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir.h"
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

static int write_inventory(struct image_store *dir, bool checksums)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;

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

/* Those of a page server's images are in an image of their own; a later dump's own page maps count. */
static const char *test_part(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;

	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir));
	image_store_part(dir, 65536);
	EXPECT(!write_pstree(dir, 4) && !image_store_commit(dir));
	EXPECT(!image_store_begin(dir) && !write_inventory(dir, true) && !image_store_commit(dir));
	EXPECT(!flip_bits(path, "pstree.img", 1));
	EXPECT(!dump(dir, false) && !good(path));
	EXPECT(!flip_bits(path, "pstree.img", 1));
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
	run_case("pages", test_pages);
	return cases_failed();
}
