// SPDX-License-Identifier: GPL-2.0-only
/* Strings, arrays, the hash table, arenas. */
#include <errno.h>

#include "util/arena.h"
#include "util/array.h"
#include "util/hash.h"
#include "util/str.h"
#include "util/utf8.h"
#include "util_check.h"

static void numbers_are_strict(void)
{
	uint64_t v = 5;
	uint32_t u = 5;
	int64_t s = 5;

	CHECK(!parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
	CHECK(parse_u64("18446744073709551616", &v) == -ERANGE && v == UINT64_MAX);
	CHECK(parse_u64("", &v) == -EINVAL && parse_u64("-1", &v) == -EINVAL && parse_u64("1 ", &v) == -EINVAL);
	CHECK(parse_u64(" 1", &v) == -EINVAL && parse_u64("0x1", &v) == -EINVAL && parse_u64("+1", &v) == -EINVAL);
	CHECK(!parse_hex("fFff", &v) && v == 0xffff);
	CHECK(parse_hex("fg", &v) == -EINVAL && parse_hex("10000000000000000", &v) == -ERANGE);
	CHECK(parse_u32("4294967296", &u) == -ERANGE && u == 5 && !parse_u32("4294967295", &u) && u == UINT32_MAX);
	CHECK(!parse_s64("-9223372036854775808", &s) && s == INT64_MIN);
	CHECK(parse_s64("9223372036854775808", &s) == -ERANGE && parse_s64("-", &s) == -EINVAL);
}

static void paths_join(void)
{
	char p[8];

	CHECK(!path_join(p, sizeof(p), "/a", "b"));
	CHECK_STR(p, "/a/b");
	CHECK(!path_join(p, sizeof(p), "/", "/b"));
	CHECK_STR(p, "/b");
	CHECK(!path_join(p, sizeof(p), "", "b/c"));
	CHECK_STR(p, "b/c");
	CHECK(!path_join(p, sizeof(p), "/aaa", "bb"));
	CHECK(path_join(p, sizeof(p), "/aaa", "bbb") == -ENAMETOOLONG);
	CHECK(str_has_prefix("abc", "ab") && !str_has_prefix("a", "ab") && str_has_suffix("abc", "bc"));
	CHECK(!str_has_suffix("c", "bc") && str_eq("a", "a") && !str_eq("a", NULL) && str_eq(NULL, NULL));
}

static void buffers_grow(void)
{
	_cleanup_buf_ struct buf b = { 0 };

	CHECK(!buf_add(&b, "", 0) && b.data && !b.data[0]);
	for (int i = 0; i < 1000; i++)
		CHECK(!buf_printf(&b, "%d,", i));
	CHECK(b.len == strlen(b.data) && b.len == 10 * 2 + 90 * 3 + 900 * 4);
	CHECK(buf_reserve(&b, SIZE_MAX) == -ENOMEM && b.len == 3890);
	buf_clear(&b);
	CHECK(!buf_add_str(&b, "hello"));
	char *s = buf_steal(&b);
	CHECK(s && !b.data && !b.len);
	CHECK_STR(s, "hello");
	free(s);
	s = buf_steal(&b);
	CHECK(s && !*s);
	free(s);
}

ARRAY_OF(
	things, struct thing {
		int a;
		char pad[12];
	});

static int cmp_thing(const void *a, const void *b)
{
	return ((const struct thing *)a)->a - ((const struct thing *)b)->a;
}

static void arrays_grow(void)
{
	struct things t = { 0 };
	struct thing *p;
	int sum = 0;

	array_for_each(p, &t)
		sum++;
	CHECK(!sum);
	for (int i = 0; i < 10000; i++) {
		p = array_push(&t);
		CHECK(p && !p->a && !p->pad[11]);
		p->a = 9999 - i;
	}
	CHECK(!array_add(&t, ((struct thing){ .a = -1 })) && t.n == 10001);
	array_sort(&t, cmp_thing);
	for (int i = 0; i < 10001; i++)
		CHECK(t.v[i].a == i - 1);
	CHECK(array_reserve(&t, SIZE_MAX) == -ENOMEM && array_reserve(&t, SIZE_MAX / 2) == -ENOMEM && t.n == 10001);
	array_free(&t);
	CHECK(!t.v && !t.n);
}

static void hash_agrees_with_a_table(void)
{
	_cleanup_hash_ struct hash h = { 0 };
	static uint64_t model[4096];
	static bool there[4096];
	uint64_t seed = 1, v;
	size_t n = 0, iter = 0;

	CHECK(!hash_get(&h, 0, &v) && !hash_del(&h, 0));
	for (int i = 0; i < 400000; i++) {
		seed = hash_mix(seed + i);
		uint64_t key = seed % 4096;
		if (seed >> 40 & 1) {
			n += !there[key];
			there[key] = true;
			model[key] = seed;
			CHECK(!hash_put(&h, key * 0x10000, seed));
		} else {
			CHECK(hash_del(&h, key * 0x10000) == there[key]);
			n -= there[key];
			there[key] = false;
		}
		CHECK(h.n == n);
	}
	for (uint64_t key = 0; key < 4096; key++) {
		v = 0;
		CHECK(hash_get(&h, key * 0x10000, &v) == there[key]);
		CHECK(!there[key] || v == model[key]);
	}
	while (hash_next(&h, &iter))
		n--;
	CHECK(!n);
}

static void hash_of_pointers_and_slots(void)
{
	_cleanup_hash_ struct hash h = { 0 };
	bool fresh;
	int x;

	CHECK(!hash_get_ptr(&h, 3) && !hash_put_ptr(&h, 3, &x) && hash_get_ptr(&h, 3) == &x);
	uint64_t *at = hash_slot_of(&h, 9, &fresh);
	CHECK(at && fresh && !*at);
	*at = 4;
	CHECK(*hash_slot_of(&h, 9, &fresh) == 4 && !fresh);
	for (uint64_t i = 0; i < 1000000; i++)
		CHECK(!hash_put(&h, i << 32, i));
	uint64_t v;
	CHECK(hash_get(&h, 999999ull << 32, &v) && v == 999999);
	CHECK(hash_str("a") != hash_str("b") && hash_str("") == hash_bytes("", 0));
}

/* What the decoder of records frees is used again for the next record; what it keeps is not. */
static void arena_uses_work_areas_again(void)
{
	struct arena a;
	ProtobufCAllocator *p = &a.protobuf;
	char *kept[ARENA_WORK_AREAS + 4], *work, *other;

	arena_init_for_forks(&a);
	work = p->alloc(&a, 1024);
	other = p->alloc(&a, 1024);
	CHECK(work && other && other != work);
	p->free(&a, work);
	CHECK(p->alloc(&a, 2048) != work && p->alloc(&a, 1024) == work && p->alloc(&a, 1024) != work);
	p->free(&a, work);
	/* Not forgotten for those that are kept. */
	for (size_t i = 0; i < ARENA_WORK_AREAS + 4; i++) {
		kept[i] = p->alloc(&a, 4096);
		CHECK(kept[i] && kept[i] != work && (!i || kept[i] != kept[i - 1]));
	}
	CHECK(p->alloc(&a, 1024) == work);
	p->free(&a, work);
	/* Nothing is written to there any more. */
	CHECK(!arena_seal(&a) && p->alloc(&a, 1024) != work);
	arena_free(&a);
}

/* The first block is moved into the file when the arena is sealed, if there is a second one. */
static void arena_is_the_same_when_sealed(void)
{
	enum { N = 2000, SIZE = 512 };
	char *p[N];

	for (int used = 1; used <= N; used += N - 1) {
		struct arena a;
		char *apart;

		arena_init_for_forks(&a);
		apart = arena_alloc_apart(&a, SIZE);
		for (int i = 0; i < used; i++) {
			p[i] = arena_alloc(&a, SIZE);
			CHECK(p[i] && !p[i][0] && !p[i][SIZE - 1]);
			memset(p[i], 1 + i % 100, SIZE);
		}
		CHECK(apart && !apart[0] && !apart[SIZE - 1] && !arena_seal(&a));
		memset(apart, 101, SIZE);
		for (int i = 0; i < used; i++) {
			CHECK(p[i][0] == 1 + i % 100 && p[i][SIZE - 1] == 1 + i % 100);
			p[i][0] = 102;
		}
		CHECK(arena_alloc(&a, SIZE) && p[0][0] == 102 && apart[SIZE - 1] == 101);
		arena_free(&a);
	}
}

/* Of sizes between @least and @most: the file remains below @times what was allocated, and each has its own bytes. */
static void arena_of_large_ones(size_t least, size_t most, size_t times)
{
	enum { N = 400, SLACK = 8 << 20 };
	unsigned *p[N];
	size_t need = 0, size;
	uint32_t random = 1;
	struct arena a;

	arena_init_for_forks(&a);
	for (unsigned i = 0; i < N; i++) {
		random = random * 1664525 + 1013904223;
		size = least + (random >> 8) % (most - least + 1);
		need += size;
		p[i] = arena_alloc(&a, size);
		CHECK(p[i] && !p[i][0] && !p[i][size / sizeof(**p) - 1]);
		if (!p[i])
			break;
		p[i][0] = p[i][size / sizeof(**p) - 1] = i;
		p[i][1] = (unsigned)(size / sizeof(**p) - 1);
		CHECK(a.file_size <= times * need + SLACK);
	}
	CHECK(!arena_seal(&a));
	for (unsigned i = 0; i < N && p[i]; i++)
		CHECK(p[i][0] == i && p[i][p[i][1]] == i);
	arena_free(&a);
}

/* A block of the file for each would double it each time. */
static void arena_has_room_for_large_ones(void)
{
	arena_of_large_ones(160 << 10, 160 << 10, 2);
	arena_of_large_ones(64, 300 << 10, 3);
	arena_of_large_ones(100 << 10, 140 << 10, 3);
}

static bool cleans_to(const char *text, const char *expected)
{
	char buf[64];

	snprintf(buf, sizeof(buf), "%s", text);
	utf8_clean(buf);
	return !strcmp(buf, expected);
}

static void text_is_cleaned(void)
{
	CHECK(cleans_to("", "") && cleans_to("plain: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
					     "plain: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
	CHECK(cleans_to("a\nb\tc\x7f\x1b[1m", "a b c  [1m"));
	/* C1 controls; bytes alone; overlong; a surrogate; cut at the end */
	CHECK(cleans_to("\xc2\x9b\xc2\xa0", "  \xc2\xa0") && cleans_to("\xff\x80x", "??x") &&
	      cleans_to("\xc0\xaf", "??"));
	CHECK(cleans_to("\xed\xa0\x80", "???") && cleans_to("x\xe2\x82", "x??") && cleans_to("\xf0\x9f\x98", "???"));
	CHECK(cleans_to("\xe2\n", "? "));
}

int main(void)
{
	RUN(text_is_cleaned);
	RUN(numbers_are_strict);
	RUN(paths_join);
	RUN(buffers_grow);
	RUN(arrays_grow);
	RUN(hash_agrees_with_a_table);
	RUN(hash_of_pointers_and_slots);
	RUN(arena_uses_work_areas_again);
	RUN(arena_is_the_same_when_sealed);
	RUN(arena_has_room_for_large_ones);
	DONE();
}
