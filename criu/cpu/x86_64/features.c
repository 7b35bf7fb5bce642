// SPDX-License-Identifier: GPL-2.0-only
#include "cpu/x86_64/features.h"
#include <errno.h>
#include <stdio.h>
#include "base/bits.h"
#include "cpu/cpuinfo.h"
#include "util/log.h"
#include "util/x86_64/cpuid.h"

enum reg { A, B, C, D };

/* CPUID leaves of the words that programs can read; each leaf once. Those that only the kernel fills remain 0. */
static const struct {
	uint32_t leaf, subleaf;
	uint8_t word[4]; /* of enum reg; 0: none */
} leaves[] = {
	{ 0x80000001, 0, { [C] = 6, [D] = 1 } },
	{ 7, 0, { [B] = 9, [C] = 16, [D] = 18 } },
	{ 7, 1, { [A] = 12 } },
	{ 13, 1, { [A] = 10 } },
};

/* Instructions that would be invalid on another CPU. chosen: libc, and libraries for ciphers and the like, choose functions by it. */
static const struct {
	uint8_t word, bit;
	bool chosen;
	const char *name;
} instructions[] = {
	{ 0, 15, false, "cmov" },
	{ 0, 19, false, "clflush" },
	{ 0, 23, false, "mmx" },
	{ 0, 25, false, "sse" },
	{ 0, 26, false, "sse2" },
	{ 1, 22, false, "mmxext" },
	{ 1, 27, false, "rdtscp" },
	{ 1, 30, false, "3dnowext" },
	{ 1, 31, false, "3dnow" },
	{ 4, 0, true, "sse3" },
	{ 4, 1, true, "pclmulqdq" },
	{ 4, 9, true, "ssse3" },
	{ 4, 12, true, "fma" },
	{ 4, 13, true, "cx16" },
	{ 4, 19, true, "sse4_1" },
	{ 4, 20, true, "sse4_2" },
	{ 4, 22, true, "movbe" },
	{ 4, 23, true, "popcnt" },
	{ 4, 25, true, "aes" },
	{ 4, 26, true, "xsave" },
	{ 4, 28, true, "avx" },
	{ 4, 29, true, "f16c" },
	{ 4, 30, true, "rdrand" },
	{ 6, 0, true, "lahf" },
	{ 6, 5, true, "lzcnt" },
	{ 6, 6, false, "sse4a" },
	{ 6, 8, false, "prefetchw" },
	{ 6, 11, false, "xop" },
	{ 6, 16, true, "fma4" },
	{ 6, 21, false, "tbm" },
	{ 9, 0, false, "fsgsbase" },
	{ 9, 3, true, "bmi1" },
	{ 9, 4, false, "hle" },
	{ 9, 5, true, "avx2" },
	{ 9, 8, true, "bmi2" },
	{ 9, 11, true, "rtm" },
	{ 9, 16, true, "avx512f" },
	{ 9, 17, true, "avx512dq" },
	{ 9, 18, true, "rdseed" },
	{ 9, 19, true, "adx" },
	{ 9, 21, true, "avx512ifma" },
	{ 9, 23, false, "clflushopt" },
	{ 9, 24, false, "clwb" },
	{ 9, 26, false, "avx512pf" },
	{ 9, 27, false, "avx512er" },
	{ 9, 28, true, "avx512cd" },
	{ 9, 29, true, "sha" },
	{ 9, 30, true, "avx512bw" },
	{ 9, 31, true, "avx512vl" },
	{ 10, 0, false, "xsaveopt" },
	{ 10, 1, true, "xsavec" },
	{ 10, 2, false, "xgetbv1" },
	{ 12, 0, true, "sha512" },
	{ 12, 1, false, "sm3" },
	{ 12, 2, false, "sm4" },
	{ 12, 4, true, "avx_vnni" },
	{ 12, 5, true, "avx512_bf16" },
	{ 12, 7, false, "cmpccxadd" },
	{ 12, 21, false, "amx_fp16" },
	{ 12, 23, false, "avx_ifma" },
	{ 16, 1, true, "avx512vbmi" },
	{ 16, 5, false, "waitpkg" },
	{ 16, 6, true, "avx512_vbmi2" },
	{ 16, 8, true, "gfni" },
	{ 16, 9, true, "vaes" },
	{ 16, 10, true, "vpclmulqdq" },
	{ 16, 11, true, "avx512_vnni" },
	{ 16, 12, true, "avx512_bitalg" },
	{ 16, 14, true, "avx512_vpopcntdq" },
	{ 16, 22, false, "rdpid" },
	{ 16, 27, false, "movdiri" },
	{ 16, 28, false, "movdir64b" },
	{ 18, 2, false, "avx512_4vnniw" },
	{ 18, 3, false, "avx512_4fmaps" },
	{ 18, 8, false, "avx512_vp2intersect" },
	{ 18, 14, false, "serialize" },
	{ 18, 22, false, "amx_bf16" },
	{ 18, 23, true, "avx512_fp16" },
	{ 18, 24, false, "amx_tile" },
	{ 18, 25, false, "amx_int8" },
};

size_t cpu_features_read(uint32_t ret[static CPU_FEATURE_WORDS])
{
	for (size_t i = 0; i < CPU_FEATURE_WORDS; i++)
		ret[i] = 0;
	ret[0] = cpuid_features().d;
	ret[4] = cpuid_features().c;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid r;

		cpuid_ask(leaves[i].leaf, leaves[i].subleaf, &r);
		for (enum reg reg = A; reg <= D; reg++)
			if (leaves[i].word[reg])
				ret[leaves[i].word[reg]] = reg == A ? r.a : reg == B ? r.b : reg == C ? r.c : r.d;
	}
	return CPU_FEATURE_WORDS;
}

static bool has(const struct cpu_features *cpu, size_t i)
{
	return instructions[i].word < cpu->n && cpu->words[instructions[i].word] >> instructions[i].bit & 1;
}

unsigned int cpu_features_beyond(const struct cpu_features *one, const struct cpu_features *other, bool only_chosen,
				 char ret[static FEATURE_NAMES_MAX])
{
	unsigned int n = 0;
	size_t len = 0;

	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		if ((only_chosen && !instructions[i].chosen) || !has(one, i) || has(other, i))
			continue;
		if (len < FEATURE_NAMES_MAX)
			len += (size_t)snprintf(ret + len, FEATURE_NAMES_MAX - len, "%s%s", n ? ", " : "",
						instructions[i].name);
		n++;
	}
	return n;
}

int cpu_features_compare(const uint32_t *words, size_t n)
{
	uint32_t own[CPU_FEATURE_WORDS];
	const struct cpu_features old = { words, n }, here = { own, cpu_features_read(own) };
	char names[FEATURE_NAMES_MAX];

	if (!cpu_features_beyond(&old, &here, true, names))
		return 0;
	return fail(
		-EOPNOTSUPP,
		"this CPU lacks instructions that the CPU of the dump has, and that programs choose when they start: %s; "
		"restore on a CPU with them, or take the risk that programs die of SIGILL with --cpu-cap=fpu",
		names);
}
