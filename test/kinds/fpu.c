// SPDX-License-Identifier: GPL-2.0-only
/*
 * x87, SSE, AVX, AVX-512 registers, MXCSR, control word, fs and gs base: loaded, kept while spinning, and compared
 * without a call.
 * test: breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 3

static struct worker {
	volatile int spinning, go;
	int spoil;
	uint64_t gs, gs_after;
	uint32_t mxcsr, mxcsr_after;
	uint16_t cw, cw_after;
	unsigned char in[32 * 64] __attribute__((aligned(64))), out[32 * 64] __attribute__((aligned(64)));
	uint64_t k_in[8], k_out[8];
	long double x87_in[8], x87_out[8];
	uint64_t general_ok;
	pthread_t thread;
} workers[THREADS];

static bool have_avx, have_avx512;

#define EACH16(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define HIGH16(X) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define EACH8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD_XMM(n) "movups " #n "*64(%[in]), %%xmm" #n "\n"
#define SAVE_XMM(n) "movups %%xmm" #n ", " #n "*64(%[out])\n"
#define LOAD_YMM(n) "vmovups " #n "*64(%[in]), %%ymm" #n "\n"
#define SAVE_YMM(n) "vmovups %%ymm" #n ", " #n "*64(%[out])\n"
#define LOAD_ZMM(n) "vmovups " #n "*64(%[in]), %%zmm" #n "\n"
#define SAVE_ZMM(n) "vmovups %%zmm" #n ", " #n "*64(%[out])\n"
#define LOAD_K(n) "kmovq " #n "*8(%[kin]), %%k" #n "\n"
#define SAVE_K(n) "kmovq %%k" #n ", " #n "*8(%[kout])\n"
#define LOAD_X87(n) "fldt " #n "*16(%[xin])\n"
#define SAVE_X87(n) "fstpt " #n "*16(%[xout])\n"
#define SPIN "movl $1, (%[spinning])\n1: pause\n cmpl $0, (%[go])\n je 1b\n"

#define RUN(load, save, ...)                                                                                          \
	__asm__ volatile(                                                                                             \
		load EACH8(LOAD_X87) SPIN save EACH8(SAVE_X87)                                                        \
		:                                                                                                     \
		: [in] "r"(w->in), [out] "r"(w->out), [kin] "r"(w->k_in), [kout] "r"(w->k_out), [xin] "r"(w->x87_in), \
		  [xout] "r"(w->x87_out), [spinning] "r"(&w->spinning), [go] "r"(&w->go)                              \
		: "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", __VA_ARGS__)

#define XMMS                                                                                                       \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
		"xmm13", "xmm14", "xmm15"

__attribute__((target("avx512f,avx512bw"))) static void run_avx512(struct worker *w)
{
	RUN(EACH16(LOAD_ZMM) HIGH16(LOAD_ZMM) EACH8(LOAD_K),
	    EACH16(SAVE_ZMM) HIGH16(SAVE_ZMM) EACH8(SAVE_K) "vzeroupper\n", XMMS, "xmm16", "xmm17", "xmm18", "xmm19",
	    "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31",
	    "k1", "k2", "k3", "k4", "k5", "k6", "k7");
}

__attribute__((target("avx"))) static void run_avx(struct worker *w)
{
	RUN(EACH16(LOAD_YMM), EACH16(SAVE_YMM) "vzeroupper\n", XMMS);
}

static void run_sse(struct worker *w)
{
	RUN(EACH16(LOAD_XMM), EACH16(SAVE_XMM), XMMS);
}

static void *worker(void *arg)
{
	struct worker *w = arg;

	syscall(SYS_arch_prctl, ARCH_SET_GS, w->gs);
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(w->mxcsr), "m"(w->cw));
	if (have_avx512)
		run_avx512(w);
	else if (have_avx)
		run_avx(w);
	else
		run_sse(w);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(w->mxcsr_after), "=m"(w->cw_after));
	__asm__ volatile("fninit");
	syscall(SYS_arch_prctl, ARCH_GET_GS, &w->gs_after);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t width, regs;
	int brk;

	test_init(argc, argv);
	__builtin_cpu_init();
	have_avx = __builtin_cpu_supports("avx");
	have_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	width = have_avx512 ? 64 : have_avx ? 32 : 16;
	regs = have_avx512 ? 32 : 16;
	for (int i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		fill(w->in, sizeof(w->in), 100 + i);
		fill(w->k_in, sizeof(w->k_in), 200 + i);
		for (int n = 0; n < 8; n++)
			w->x87_in[n] = 3.25L * (n + 1) + 1000 * i;
		w->gs = 0x7000000000 + i * 0x1000;
		w->mxcsr = 0x1f80 | (i & 3) << 13 | 0x8000; /* rounding mode, flush to zero */
		w->cw = (uint16_t)(0x037f | (i & 3) << 10);
		need(!pthread_create(&w->thread, NULL, worker, w), "thread");
	}
	for (int i = 0; i < THREADS; i++)
		while (!workers[i].spinning)
			sleep_ms(1);

	brk = checkpoint_here();
	if (brk == 1)
		workers[1].in[64 * (regs - 1) + width - 1] ^= 1;
	if (brk == 2)
		workers[2].cw ^= 0x400;

	for (int i = 0; i < THREADS; i++) {
		struct worker *w = &workers[i];

		w->go = 1;
		pthread_join(w->thread, NULL);
		for (size_t n = 0; n < regs; n++)
			check(!memcmp(w->in + n * 64, w->out + n * 64, width), "thread %d: vector register %zu", i, n);
		for (int n = 0; n < 8 && have_avx512; n++)
			check(w->k_in[n] == w->k_out[n], "thread %d: k%d %lx was %lx", i, n, w->k_out[n], w->k_in[n]);
		for (int n = 0; n < 8; n++)
			check(w->x87_out[n] == w->x87_in[7 - n], "thread %d: st(%d)", i, n);
		check(w->mxcsr_after == w->mxcsr, "thread %d: mxcsr %x was %x", i, w->mxcsr_after, w->mxcsr);
		check(w->cw_after == w->cw, "thread %d: control word %x was %x", i, w->cw_after, w->cw);
		check(w->gs_after == w->gs, "thread %d: gs %lx was %lx", i, w->gs_after, w->gs);
	}
	test_done();
}
