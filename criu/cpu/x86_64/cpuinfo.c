// SPDX-License-Identifier: GPL-2.0-only
/* The features of the CPU at the dump, compared with those of this one. */
#include "cpu/cpuinfo.h"
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/bits.h"
#include "cpu/x86_64/xcr0.h"
#include "cpuinfo.pb-c.h"
#include "image/reader.h"
#include "image/record.h"
#include "image/writer.h"
#include "image/store.h"
#include "run/options.h"
#include "util/log.h"

enum {
	WORDS = 20, /* in the order of the kernel's cpufeatures.h; words filled only by the kernel remain 0 */
	WORDS_VERSION = 2,
	NAMES_MAX = 512,
};

enum reg { EAX, EBX, ECX, EDX };

/* CPUID leaves of the words that programs can read. */
static const struct {
	uint8_t word, reg;
	uint32_t leaf, subleaf;
} words[] = {
	{ 0, EDX, 1, 0 },   { 1, EDX, 0x80000001, 0 }, { 4, ECX, 1, 0 },  { 6, ECX, 0x80000001, 0 }, { 9, EBX, 7, 0 },
	{ 10, EAX, 13, 1 }, { 12, EAX, 7, 1 },	       { 16, ECX, 7, 0 }, { 18, EDX, 7, 0 },
};

/* Features that a program may have detected and use: instructions that would be invalid on another CPU. */
static const struct {
	uint8_t word, bit;
	const char *name;
} instructions[] = {
	{ 0, 15, "cmov" },
	{ 0, 19, "clflush" },
	{ 0, 23, "mmx" },
	{ 0, 25, "sse" },
	{ 0, 26, "sse2" },
	{ 1, 22, "mmxext" },
	{ 1, 27, "rdtscp" },
	{ 1, 30, "3dnowext" },
	{ 1, 31, "3dnow" },
	{ 4, 0, "sse3" },
	{ 4, 1, "pclmulqdq" },
	{ 4, 9, "ssse3" },
	{ 4, 12, "fma" },
	{ 4, 13, "cx16" },
	{ 4, 19, "sse4_1" },
	{ 4, 20, "sse4_2" },
	{ 4, 22, "movbe" },
	{ 4, 23, "popcnt" },
	{ 4, 25, "aes" },
	{ 4, 26, "xsave" },
	{ 4, 28, "avx" },
	{ 4, 29, "f16c" },
	{ 4, 30, "rdrand" },
	{ 6, 0, "lahf" },
	{ 6, 5, "lzcnt" },
	{ 6, 6, "sse4a" },
	{ 6, 8, "prefetchw" },
	{ 6, 11, "xop" },
	{ 6, 16, "fma4" },
	{ 6, 21, "tbm" },
	{ 9, 0, "fsgsbase" },
	{ 9, 3, "bmi1" },
	{ 9, 4, "hle" },
	{ 9, 5, "avx2" },
	{ 9, 8, "bmi2" },
	{ 9, 11, "rtm" },
	{ 9, 16, "avx512f" },
	{ 9, 17, "avx512dq" },
	{ 9, 18, "rdseed" },
	{ 9, 19, "adx" },
	{ 9, 21, "avx512ifma" },
	{ 9, 23, "clflushopt" },
	{ 9, 24, "clwb" },
	{ 9, 26, "avx512pf" },
	{ 9, 27, "avx512er" },
	{ 9, 28, "avx512cd" },
	{ 9, 29, "sha" },
	{ 9, 30, "avx512bw" },
	{ 9, 31, "avx512vl" },
	{ 10, 0, "xsaveopt" },
	{ 10, 1, "xsavec" },
	{ 10, 2, "xgetbv1" },
	{ 12, 0, "sha512" },
	{ 12, 1, "sm3" },
	{ 12, 2, "sm4" },
	{ 12, 4, "avx_vnni" },
	{ 12, 5, "avx512_bf16" },
	{ 12, 7, "cmpccxadd" },
	{ 12, 21, "amx_fp16" },
	{ 12, 23, "avx_ifma" },
	{ 16, 1, "avx512vbmi" },
	{ 16, 5, "waitpkg" },
	{ 16, 6, "avx512_vbmi2" },
	{ 16, 8, "gfni" },
	{ 16, 9, "vaes" },
	{ 16, 10, "vpclmulqdq" },
	{ 16, 11, "avx512_vnni" },
	{ 16, 12, "avx512_bitalg" },
	{ 16, 14, "avx512_vpopcntdq" },
	{ 16, 22, "rdpid" },
	{ 16, 27, "movdiri" },
	{ 16, 28, "movdir64b" },
	{ 18, 2, "avx512_4vnniw" },
	{ 18, 3, "avx512_4fmaps" },
	{ 18, 8, "avx512_vp2intersect" },
	{ 18, 14, "serialize" },
	{ 18, 22, "amx_bf16" },
	{ 18, 23, "avx512_fp16" },
	{ 18, 24, "amx_tile" },
	{ 18, 25, "amx_int8" },
};

struct cpu {
	CpuinfoX86Entry entry;
	uint32_t capability[WORDS];
	char model[49];
};

static void cpuid_query(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	if (!__get_cpuid_count(leaf, subleaf, &ret[EAX], &ret[EBX], &ret[ECX], &ret[EDX]))
		memset(ret, 0, 4 * sizeof(*ret));
}

static CpuinfoX86Entry__Vendor vendor(void)
{
	uint32_t r[4];
	char text[13] = "";

	cpuid_query(0, 0, r);
	memcpy(text, &r[EBX], 4);
	memcpy(text + 4, &r[EDX], 4);
	memcpy(text + 8, &r[ECX], 4);
	if (!strcmp(text, "GenuineIntel"))
		return CPUINFO_X86_ENTRY__VENDOR__INTEL;
	return strcmp(text, "AuthenticAMD") ? CPUINFO_X86_ENTRY__VENDOR__UNKNOWN : CPUINFO_X86_ENTRY__VENDOR__AMD;
}

static void fill_model(struct cpu *cpu)
{
	CpuinfoX86Entry *e = &cpu->entry;
	uint32_t r[4];

	cpuid_query(1, 0, r);
	e->stepping = r[EAX] & 15;
	e->model = r[EAX] >> 4 & 15;
	e->cpu_family = r[EAX] >> 8 & 15;
	if (e->cpu_family == 6 || e->cpu_family == 15)
		e->model += (r[EAX] >> 16 & 15) << 4;
	if (e->cpu_family == 15)
		e->cpu_family += r[EAX] >> 20 & 255;
	for (uint32_t i = 0; i < 3; i++) {
		cpuid_query(0x80000002 + i, 0, r);
		memcpy(cpu->model + 16 * (size_t)i, r, 16);
	}
	e->model_id = cpu->model;
}

static void read_cpu(struct cpu *cpu)
{
	CpuinfoX86Entry *e = &cpu->entry;
	uint32_t r[4];

	memset(cpu, 0, sizeof(*cpu));
	cpuinfo_x86_entry__init(e);
	e->vendor_id = vendor();
	fill_model(cpu);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cpuid_query(words[i].leaf, words[i].subleaf, r);
		cpu->capability[words[i].word] = r[words[i].reg];
	}
	e->capability_ver = WORDS_VERSION;
	e->n_capability = WORDS;
	e->capability = cpu->capability;
	e->has_xfeatures_mask = true;
	e->xfeatures_mask = cpu_xcr0();
	cpuid_query(13, 0, r);
	e->has_xsave_size = e->has_xsave_size_max = true;
	e->xsave_size = r[EBX];
	e->xsave_size_max = r[ECX];
}

/* ---- dump ---- */

int cpuinfo_write(struct image_store *store)
{
	CpuinfoEntry entry = CPUINFO_ENTRY__INIT;
	CpuinfoX86Entry *one;
	struct cpu cpu;
	int err;

	read_cpu(&cpu);
	one = &cpu.entry;
	entry.n_x86_entry = 1;
	entry.x86_entry = &one;
	err = image_write_single(store, IMAGE_CPUINFO, 0, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(store)) : 0;
}

/* ---- restore ---- */

static bool has(const CpuinfoX86Entry *e, size_t i)
{
	return instructions[i].word < e->n_capability && e->capability[instructions[i].word] >> instructions[i].bit & 1;
}

/* Names of the features of @one that @other lacks, in @ret; returns their number. */
static unsigned int names_beyond(const CpuinfoX86Entry *one, const CpuinfoX86Entry *other, char ret[NAMES_MAX])
{
	unsigned int n = 0;
	size_t len = 0;

	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (!has(one, i) || has(other, i))
			continue;
		if (len < NAMES_MAX)
			len += (size_t)snprintf(ret + len, NAMES_MAX - len, "%s%s", n ? ", " : "",
						instructions[i].name);
		n++;
	}
	return n;
}

static int check_alike(const CpuinfoX86Entry *old, const CpuinfoX86Entry *here)
{
	char names[NAMES_MAX];

	if (old->vendor_id != here->vendor_id || old->cpu_family != here->cpu_family || old->model != here->model)
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: the dump was created on another CPU (%s: family %u, model %u; this is %s: family %u, "
			"model %u), and --cpu-cap=cpu requires the same; --cpu-cap=ins accepts any with these features",
			old->model_id ? old->model_id : "unknown", old->cpu_family, old->model, here->model_id,
			here->cpu_family, here->model);
	if (names_beyond(here, old, names))
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: this CPU has more than the one of the dump (%s), and --cpu-cap=cpu requires the same; "
			"--cpu-cap=ins accepts it",
			names);
	if (old->has_xfeatures_mask && old->xfeatures_mask != here->xfeatures_mask)
		return fail(-EOPNOTSUPP,
			    "cpuinfo.img: the registers that this kernel saves (XCR0 %#lx) are not those of the dump "
			    "(%#lx), and --cpu-cap=cpu requires the same",
			    here->xfeatures_mask, old->xfeatures_mask);
	return 0;
}

static int check(const CpuinfoX86Entry *old, uint32_t caps)
{
	char names[NAMES_MAX];
	struct cpu here;

	read_cpu(&here);
	if (old->capability_ver != WORDS_VERSION || old->n_capability > WORDS) {
		log_warn("cpuinfo.img: unknown version %u of capabilities: not compared", old->capability_ver);
		return 0;
	}
	if (names_beyond(old, &here.entry, names))
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: this CPU lacks features of the one of the dump: %s; restore on a CPU with them, or take the "
			"risk with --cpu-cap=none",
			names);
	return caps & CPU_CAP_CPU ? check_alike(old, &here.entry) : 0;
}

int cpuinfo_compare(struct image_store *store, uint32_t caps)
{
	_cleanup_record_ CpuinfoEntry *entry = NULL;
	int err;

	if (!(caps & (CPU_CAP_CPU | CPU_CAP_INS | CPU_CAP_IMAGE)))
		return 0;
	err = image_read_single(store, IMAGE_CPUINFO, 0, &entry);
	if (err == -ENOENT && !(caps & (CPU_CAP_CPU | CPU_CAP_IMAGE)))
		return 0; /* the dump was not asked to write one */
	if (err == -ENOENT)
		return fail(err,
			    "there is no cpuinfo.img to compare this CPU with: it is created by criu cpuinfo dump, "
			    "or criu dump --cpu-cap=cpu; a restore with --cpu-cap=fpu does not need it");
	if (err < 0)
		return fail(err, "%s", image_store_error(store));
	if (entry->n_x86_entry != 1)
		return fail(-EBADMSG, "cpuinfo.img: %zu CPUs of this type, expected 1", entry->n_x86_entry);
	return check(entry->x86_entry[0], caps);
}
