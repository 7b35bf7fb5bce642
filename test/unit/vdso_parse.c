// SPDX-License-Identifier: GPL-2.0-only
/* Parsing a vDSO, intact and damaged; the code that redirects one. */
#include <elf.h>
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include "base/bits.h"
#include "memory/vdso_code.h"
#include "util/log.h"
#include "util_check.h"
#include "vdso_helper.h"

static struct own_maps own;
static struct vdso_symbols symbols;

static void parses_our_own(void)
{
	const struct vdso_symbol *s;

	CHECK(own.vdso && !vdso_parse((void *)own.vdso, own.vdso_len, &symbols));
	s = find_symbol(&symbols, "__vdso_clock_gettime");
	CHECK(s && find_symbol(&symbols, "__vdso_gettimeofday") && find_symbol(&symbols, "__vdso_getcpu"));
	CHECK(symbols.loaded > s->offset && symbols.loaded <= own.vdso_len);
	CHECK(vdso_same_symbols(&symbols, &symbols));
}

static void a_symbol_elsewhere_is_not_the_same(void)
{
	struct vdso_symbols other = symbols;

	other.v[other.n / 2].offset += 16;
	CHECK(!vdso_same_symbols(&symbols, &other) && !vdso_same_symbols(&other, &symbols));
	other = symbols;
	other.n--;
	CHECK(!vdso_same_symbols(&symbols, &other) && !vdso_same_symbols(&other, &symbols));
	other = symbols;
	other.v[1] = other.v[0];
	CHECK(!vdso_same_symbols(&symbols, &other) && !vdso_same_symbols(&other, &symbols));
}

/* @len bytes that end right before unmapped memory. */
static uint8_t *at_the_edge(size_t len)
{
	size_t size = ROUND_UP(len, PAGE_SZ) + PAGE_SZ;
	uint8_t *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(m + size - PAGE_SZ, PAGE_SZ, PROT_NONE);
	return m + size - PAGE_SZ - len;
}

/* Everything that was found is within the bytes, and so is everything that would be written. */
static bool sane(const uint8_t *bytes, size_t len)
{
	struct wire_vdso_patch patches[VDSO_MAX_SYMBOLS];
	struct vdso_symbols found;
	size_t nr = 0;

	if (vdso_parse(bytes, len, &found))
		return true;
	for (size_t i = 0; i < found.n; i++)
		if ((uint8_t *)found.v[i].name < bytes ||
		    (uint8_t *)found.v[i].name + strlen(found.v[i].name) >= bytes + len)
			return false;
	if (vdso_make_patches(&(struct vdso_at){ &found, 0x10000, len }, &(struct vdso_at){ &symbols, own.vdso, 0 },
			      patches, &nr))
		return true;
	for (size_t i = 0; i < nr; i++)
		if (patches[i].at < 0x10000 || patches[i].at + patches[i].len > 0x10000 + len)
			return false;
	return true;
}

static void survives_every_length(void)
{
	for (size_t len = 0; len < own.vdso_len; len += len < 0x900 ? 1 : 64) {
		uint8_t *copy = at_the_edge(own.vdso_len);

		copy += own.vdso_len - len;
		memcpy(copy, (void *)own.vdso, len);
		CHECK(sane(copy, len));
		munmap((void *)ROUND_DOWN((uintptr_t)copy, PAGE_SZ), PAGE_SZ);
	}
}

static void survives_damage(void)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint8_t *copy = at_the_edge(own.vdso_len);
	const uint8_t *good = (void *)own.vdso;
	unsigned seed = 1;

	memcpy(copy, good, own.vdso_len);
	for (size_t at = 0; at < 0x900 && at < own.vdso_len; at++) {
		for (size_t i = 0; i < sizeof(values); i++) {
			copy[at] = values[i];
			CHECK(sane(copy, own.vdso_len));
		}
		copy[at] = good[at];
	}
	for (int round = 0; round < 100000; round++) {
		for (int i = 0; i < 4; i++)
			copy[rand_r(&seed) % 0x600] = rand_r(&seed);
		CHECK(sane(copy, own.vdso_len));
		if (round % 4 == 3)
			memcpy(copy, good, own.vdso_len);
	}
}

/* The dynamic section refers to DT_HASH or DT_GNU_HASH: either alone gives the same functions. */
static void either_hash_will_do(void)
{
	static const int64_t hashes[] = { DT_HASH, DT_GNU_HASH };
	struct vdso_symbols found;

	for (size_t h = 0; h < 2; h++) {
		uint8_t copy[32768];
		unsigned kept = 0;

		CHECK(own.vdso_len <= sizeof(copy));
		memcpy(copy, (void *)own.vdso, own.vdso_len);
		for (size_t at = 0; at + 16 <= 0x900; at += 8) {
			int64_t *tag = (int64_t *)(copy + at);

			if (*tag == hashes[h] && tag[1] > 0 && (uint64_t)tag[1] < own.vdso_len && !(tag[1] & 7))
				*tag = DT_DEBUG;
			else if (*tag == hashes[1 - h] && tag[1] > 0 && (uint64_t)tag[1] < own.vdso_len)
				kept++;
		}
		if (kept)
			CHECK(!vdso_parse(copy, own.vdso_len, &found) && vdso_same_symbols(&found, &symbols));
	}
}

static long six(long a, long b, long c, long d, long e, long f)
{
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f;
}

static void *executable(const struct wire_vdso_patch *patch)
{
	uint8_t *m = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? NULL : memcpy(m, patch->code, patch->len);
}

static void a_jump_keeps_arguments(void)
{
	struct wire_vdso_patch patch = { 0 };
	long (*call)(long, long, long, long, long, long);

	vdso_code_jump((uintptr_t)six, &patch);
	CHECK(patch.len == 13);
	call = executable(&patch);
	CHECK(call && call(1, 2, 3, 4, 5, 6) == 654321);
}

static void stubs_make_system_calls(void)
{
	struct wire_vdso_patch patch = { 0 };
	long (*call)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
	struct timespec t = { 0 }, u = { 0 };
	unsigned cpu = ~0u, node = ~0u;
	uint8_t random[32] = { 0 }, zero[32] = { 0 };
	time_t sec = 0;

	CHECK(vdso_code_stub("clock_gettime", &patch) && (call = executable(&patch)));
	CHECK(!call(CLOCK_MONOTONIC, (uintptr_t)&t, 0, 0, 0) && t.tv_sec > 0 && call(-1ul << 2, 0, 0, 0, 0) < 0);
	CHECK(vdso_code_stub("clock_getres", &patch) && (call = executable(&patch)));
	CHECK(!call(CLOCK_MONOTONIC, (uintptr_t)&u, 0, 0, 0) && u.tv_nsec > 0);
	CHECK(vdso_code_stub("gettimeofday", &patch) && (call = executable(&patch)));
	CHECK(!call((uintptr_t)&t, 0, 0, 0, 0) && t.tv_sec > 1000000000);
	CHECK(vdso_code_stub("time", &patch) && (call = executable(&patch)));
	/* time() is as of the last tick */
	CHECK(call((uintptr_t)&sec, 0, 0, 0, 0) == sec && sec >= t.tv_sec - 1);
	CHECK(vdso_code_stub("getcpu", &patch) && (call = executable(&patch)));
	CHECK(!call((uintptr_t)&cpu, (uintptr_t)&node, 0, 0, 0) && cpu < 4096 && node < 4096);
	CHECK(vdso_code_stub("getrandom", &patch) && (call = executable(&patch)));
	CHECK(call((uintptr_t)random, 32, 0, 0, 144) == 32 && memcmp(random, zero, 32));
	CHECK(call(0, 0, 0, (uintptr_t)random, -1) == -ENOSYS);
	CHECK(!vdso_code_stub("new_thing", &patch) && (call = executable(&patch)));
	CHECK(call(0, 0, 0, 0, 0) == -ENOSYS);
}

static void patches_are_made_once_per_function(void)
{
	struct wire_vdso_patch patches[VDSO_MAX_SYMBOLS];
	struct vdso_symbols old = { .n = 3,
				    .v = { { "clock_gettime", 64 }, { "__vdso_clock_gettime", 64 }, { "odd", 96 } } };
	const struct vdso_symbol *target = find_symbol(&symbols, "__vdso_clock_gettime");
	uint64_t to = 0x500000000000 + target->offset;
	struct vdso_at from = { &old, 0x7000000, 4096 }, here = { &symbols, 0x500000000000, 0 }, none = { 0 };
	size_t nr;

	CHECK(!vdso_make_patches(&from, &here, patches, &nr));
	CHECK(nr == 2 && patches[0].at == 0x7000040 && patches[1].at == 0x7000060);
	CHECK(!memcmp(patches[0].code + 2, &to, 8));
	/* No vDSO here at all. */
	CHECK(!vdso_make_patches(&from, &none, patches, &nr) && nr == 2 && patches[0].len == 8);
	/* No space. */
	old.v[2].offset = 76;
	CHECK(vdso_make_patches(&from, &here, patches, &nr) == -EOPNOTSUPP);
	from.len = 80;
	CHECK(vdso_make_patches(&from, &here, patches, &nr) == -EOPNOTSUPP);
}

int main(void)
{
	log_init(LOG_SILENT);
	log_to_fd(-1);
	find_own(&own);
	RUN(parses_our_own);
	RUN(a_symbol_elsewhere_is_not_the_same);
	RUN(survives_every_length);
	RUN(survives_damage);
	RUN(either_hash_will_do);
	RUN(a_jump_keeps_arguments);
	RUN(stubs_make_system_calls);
	RUN(patches_are_made_once_per_function);
	DONE();
}
