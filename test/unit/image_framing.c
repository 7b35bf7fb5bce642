// SPDX-License-Identifier: GPL-2.0-only
/* Round trips of every type in the catalogue; every truncation and every changed byte gives an error or a message. */
#include "image_helper.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "cgroup.pb-c.h"
#include "image/dir.h"
#include "mm.pb-c.h"
#include "pstree.pb-c.h"
#include "utsns.pb-c.h"

/* An image with `n` records of any type that has them, in its own transaction. */
static int write_image(struct image_store *dir, enum image_type type, unsigned int n)
{
	const struct image_spec *spec = image_spec(type);
	struct image_writer *img;
	int err;

	err = image_store_begin(dir) ?: image_create(dir, type, 7, &img);
	for (unsigned int i = 0; !err && i < n; i++) {
		_cleanup_record_ ProtobufCMessage *msg = make_message(i ? spec->rest : spec->first, type * 31 + i, 0);

		err = image_write_record(img, msg);
	}
	return err ?: image_close(img) ?: image_store_commit(dir);
}

static const char *round_trip(enum image_type type, unsigned int n)
{
	const struct image_spec *spec = image_spec(type);
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_image_reader_ struct image_reader *img = NULL;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(!write_image(dir, type, n));
	EXPECT(!image_open(dir, type, 7, &img));
	for (unsigned int i = 0; i < n; i++) {
		const ProtobufCMessageDescriptor *record = i ? spec->rest : spec->first;
		_cleanup_record_ ProtobufCMessage *wrote = make_message(record, type * 31 + i, 0), *got = NULL;
		_cleanup_free_ uint8_t *wrote_bytes = NULL, *got_bytes = NULL;
		size_t len = protobuf_c_message_get_packed_size(wrote);

		if (image_read_record(img, record, &got) != 1)
			return because("%s: %s", spec->type, image_error(img));
		EXPECT(protobuf_c_message_get_packed_size(got) == len);
		wrote_bytes = malloc(len + 1);
		got_bytes = malloc(len + 1);
		protobuf_c_message_pack(wrote, wrote_bytes);
		protobuf_c_message_pack(got, got_bytes);
		EXPECT(!memcmp(wrote_bytes, got_bytes, len));
	}
	EXPECT(!image_left(img) && !image_expect_end(img));
	return NULL;
}

static const char *test_round_trips(void)
{
	for (int type = 0; type < IMAGE_TYPES; type++)
		for (unsigned int n = 0; image_spec(type)->first && n < 12; n++) {
			const char *why = round_trip(type, n);

			if (why)
				return why;
		}
	return NULL;
}

static const char *read_bytes(enum image_type type, const uint8_t *buf, size_t len)
{
	_cleanup_image_store_ struct image_store *store = store_of_bytes(type, 7, buf, len);
	_cleanup_image_reader_ struct image_reader *img = NULL;
	unsigned long records;
	int err = image_open(store, type, 7, &img);

	if (err) {
		EXPECT(err == -EBADMSG && image_store_error(store)[0]);
		return NULL;
	}
	err = walk_image(type, img, NULL, &records);
	EXPECT(!err || (err == -EBADMSG && image_error(img)[0]));
	return NULL;
}

/*
 * Every prefix and every changed byte of `buf` goes through the reader: no crash, and a truncated record is an error.
 */
static const char *torture(enum image_type type, uint8_t *buf, size_t len)
{
	for (size_t cut = 0; cut < len; cut++) {
		const char *why = read_bytes(type, buf, cut);

		if (why)
			return why;
	}
	for (size_t at = 0; at < len; at++) {
		for (unsigned int bit = 0; bit < 9; bit++) {
			uint8_t saved = buf[at];
			const char *why;

			buf[at] = bit < 8 ? saved ^ 1 << bit : 0xff;
			why = read_bytes(type, buf, len);
			if (why)
				return why;
			buf[at] = saved;
		}
	}
	return NULL;
}

static const char *test_torture(void)
{
	for (int type = 0; type < IMAGE_TYPES; type++) {
		_cleanup_scratch_ char *path = scratch_create();
		_cleanup_image_store_ struct image_store *dir = NULL;
		_cleanup_free_ uint8_t *buf = NULL;
		char name[IMAGE_NAME_MAX];
		const char *why;
		size_t len;

		if (!image_spec(type)->first)
			continue;
		EXPECT(!image_dir_open(path, &dir));
		EXPECT(!write_image(dir, type, 2));
		EXPECT(!image_name(type, 7, name));
		buf = slurp(path, name, &len);
		EXPECT(buf);
		why = torture(type, buf, len);
		if (why)
			return because("%s: %s", name, why);
	}
	return NULL;
}

/* A file truncated anywhere but between two records is refused, and the message names file, record and byte. */
static const char *test_truncation(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len, first;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(!write_image(dir, IMAGE_PSTREE, 2));
	buf = slurp(path, "pstree.img", &len);
	first = 12 + buf[8];
	for (size_t cut = 0; cut <= len; cut++) {
		_cleanup_image_reader_ struct image_reader *img = NULL;
		unsigned long records;
		int err;

		spew(path, "pstree.img", buf, cut);
		err = image_open(dir, IMAGE_PSTREE, 0, &img);
		if (cut < 8) {
			EXPECT(err == -EBADMSG && strstr(image_store_error(dir), "pstree.img: truncated"));
			continue;
		}
		EXPECT(!err);
		err = walk_image(IMAGE_PSTREE, img, NULL, &records);
		EXPECT(!err == (cut == 8 || cut == first || cut == len));
		if (err && cut > first) {
			char want[64];

			snprintf(want, sizeof(want), "pstree.img: record 2 at byte %zu: ", first);
			EXPECT(strstr(image_error(img), want));
		}
	}
	return NULL;
}

static const char *test_wrong_magic(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ char *from = NULL, *to = NULL;
	struct image_reader *img;
	UtsnsEntry *uts;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(image_open(dir, IMAGE_CORE, 7, &img) == -ENOENT);
	EXPECT(!write_image(dir, IMAGE_PSTREE, 2));
	EXPECT(asprintf(&from, "%s/pstree.img", path) > 0 && asprintf(&to, "%s/core-7.img", path) > 0);
	EXPECT(!rename(from, to));
	EXPECT(image_open(dir, IMAGE_CORE, 7, &img) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir), "core-7.img: has magic 0x50273030, expected CORE with 0x55053847"));
	EXPECT(image_open(dir, IMAGE_PAGES, 1, &img) == -EINVAL);
	EXPECT(image_open(dir, IMAGE_TYPES, 1, &img) == -EINVAL);
	/* Exactly one record where there must be one. */
	EXPECT(!write_image(dir, IMAGE_UTSNS, 2));
	EXPECT(image_read_single(dir, IMAGE_UTSNS, 7, &uts) == -EBADMSG);
	EXPECT(!write_image(dir, IMAGE_UTSNS, 0));
	EXPECT(image_read_single(dir, IMAGE_UTSNS, 7, &uts) == -EBADMSG);
	EXPECT(!write_image(dir, IMAGE_UTSNS, 1));
	EXPECT(!image_read_single(dir, IMAGE_UTSNS, 7, &uts) && uts->nodename);
	image_free_record(uts);
	return NULL;
}

/* More than the buffer, in one record, in many, and as payload; then mapped instead of read. */
static const char *test_large(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_image_reader_ struct image_reader *reader = NULL;
	_cleanup_free_ uint32_t *threads = calloc(200000, sizeof(*threads));
	_cleanup_free_ uint8_t *payload = malloc(3 << 20), *zeros = calloc(1, 100000);
	PstreeEntry entry = PSTREE_ENTRY__INIT, *got;
	struct image_writer *img;
	const void *raw;

	entry.threads = threads;
	for (unsigned int i = 0; i < 200000; i++)
		threads[i] = i * 7;
	memset(payload, 0x5a, 3 << 20);
	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir));
	EXPECT(!image_create(dir, IMAGE_PSTREE, 0, &img));
	for (entry.n_threads = 1; entry.n_threads < 200000; entry.n_threads *= 2)
		EXPECT(!image_write_record(img, &entry.base));
	EXPECT(!image_write_raw(img, payload, 3 << 20) && !image_write_raw(img, zeros, 100000));
	EXPECT(!image_close(img) && !image_store_commit(dir));
	EXPECT(!image_open(dir, IMAGE_PSTREE, 0, &reader));
	for (size_t n = 1; n < 200000; n *= 2) {
		EXPECT(image_read_record(reader, &pstree_entry__descriptor, &got) == 1);
		EXPECT(got->n_threads == n && !memcmp(got->threads, threads, n * 4));
		image_free_record(got);
	}
	EXPECT(!image_read_raw(reader, 3 << 20, &raw) && !memcmp(raw, payload, 3 << 20));
	EXPECT(!image_read_raw(reader, 100000, &raw) && !*(uint8_t *)raw);
	EXPECT(image_read_raw(reader, 1, &raw) == -EBADMSG);
	EXPECT(image_read_record(reader, &pstree_entry__descriptor, &got) == -EBADMSG);
	return NULL;
}

/* Hostile wire data: a message nested a hundred thousand levels deep, one that merges without end, a NUL in a name. */
static const char *refuse_record(const void *record, uint32_t len, const ProtobufCMessageDescriptor *type,
				 const char *why)
{
	_cleanup_image_store_ struct image_store *store = NULL;
	_cleanup_image_reader_ struct image_reader *img = NULL;
	_cleanup_free_ uint8_t *buf = malloc(12 + len);
	uint32_t header[3] = { IMAGE_MAGIC_COMMON, image_spec(IMAGE_CGROUP)->magic, len };
	ProtobufCMessage *msg;

	memcpy(buf, header, 12);
	memcpy(buf + 12, record, len);
	store = store_of_bytes(IMAGE_CGROUP, 0, buf, 12 + len);
	EXPECT(!image_open(store, IMAGE_CGROUP, 0, &img));
	EXPECT(image_read_record(img, type, &msg) == -EBADMSG);
	EXPECT(image_read_record(img, type, &msg) == -EBADMSG);
	if (!strstr(image_error(img), why))
		return because("\"%s\" lacks \"%s\"", image_error(img), why);
	return NULL;
}

static const char *test_hostile_wire(void)
{
	enum { DEEP = 200000 };
	_cleanup_free_ uint8_t *deep = malloc(DEEP * 5), *twice = malloc(DEEP);
	uint8_t *at = deep + DEEP * 5;
	const char *why;
	size_t len = 0;

	/* Built from the inside out: field 2 (children) contains what has been built so far. */
	for (unsigned int i = 0; i < DEEP; i++) {
		uint8_t varint[5];
		unsigned int n = 0;

		for (size_t rest = len; n == 0 || rest; rest >>= 7)
			varint[n++] = (rest & 0x7f) | (rest >> 7 ? 0x80 : 0);
		at -= n;
		memcpy(at, varint, n);
		*--at = 2 << 3 | 2;
		len += n + 1;
		if (len > DEEP * 5 - 8)
			break;
	}
	why = refuse_record(at, len, &cgroup_dir_entry__descriptor, "messages deep");
	if (why)
		return why;
	for (unsigned int i = 0; i < DEEP; i += 2) {
		twice[i] = 4 << 3 | 2;
		twice[i + 1] = 0;
	}
	why = refuse_record(twice, DEEP, &cgroup_dir_entry__descriptor, "duplicate field")		   ?:
		      refuse_record("\x0a\x03z\0z\x12\x00", 7, &utsns_entry__descriptor, "contains a NUL") ?:
		      refuse_record("\x0a\x01z", 3, &utsns_entry__descriptor, "required")		   ?:
		      refuse_record("\x0a\x7fz", 3, &utsns_entry__descriptor, "is truncated")		   ?:
		      refuse_record("\x0b\x00", 2, &utsns_entry__descriptor, "invalid type");
	if (why)
		return why;
	/* Many empty messages: the memory that they take is bounded. */
	for (unsigned int i = 0; i < DEEP; i += 2) {
		twice[i] = 14 << 3 | 2;
		twice[i + 1] = 0;
	}
	return refuse_record(twice, DEEP, &mm_entry__descriptor, "");
}

static const char *test_names(void)
{
	for (int type = 0; type < IMAGE_TYPES; type++) {
		uint64_t ids[] = { 0, 7, 31457, 0x1f6340, UINT64_MAX }, id;
		enum image_type parsed;
		char name[IMAGE_NAME_MAX];

		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			EXPECT(!image_name(type, ids[i], name));
			EXPECT(!image_parse_name(name, &parsed, &id));
			EXPECT((int)parsed == type && (id == ids[i] || image_spec(type)->id == IMAGE_ID_NO_ID));
		}
	}
	for (const char *const *bad = (const char *const[]){ "core-.img", "core-01.img", "core-1.imgx", "core-1x.img",
							     "core-18446744073709551616.img", "dump.log", "", "pages-1",
							     "ghost-file-G.img", NULL };
	     *bad; bad++) {
		enum image_type type;
		uint64_t id;

		if (image_parse_name(*bad, &type, &id) != -ENOENT)
			return because("%s is accepted as a name", *bad);
	}
	return NULL;
}

int main(void)
{
	run_case("names", test_names);
	run_case("round-trips", test_round_trips);
	run_case("truncation", test_truncation);
	run_case("torture", test_torture);
	run_case("wrong-magic", test_wrong_magic);
	run_case("large", test_large);
	run_case("hostile-wire", test_hostile_wire);
	return cases_failed();
}
