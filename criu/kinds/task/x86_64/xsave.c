// SPDX-License-Identifier: GPL-2.0-only
/* Conversion of extended state according to the layout of CPUID leaf 0xD: Intel SDM vol. 1, chapter 13. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "cpu/x86_64/xcr0.h"
#include "util/x86_64/cpuid.h"
#include "xsave.h"

enum {
	FXSAVE_SIZE = 512,
	HEADER_SIZE = 64,
	XCR0_AT = 464, /* the kernel stores XCR0 in bytes that the CPU leaves to software */
	XSTATE_BV_AT = 512,
	ST_AT = 32,
	XMM_AT = 160,
	ST_WORDS = 32,
	XMM_WORDS = 64,
};
#define LEGACY_BITS 3ull /* x87, SSE: always in the image */
#define MXCSR_MASK_DEFAULT 0xffbfu

/* The first bytes of every area: the FXSAVE layout. */
struct legacy {
	uint16_t cwd, swd;
	uint8_t twd, reserved;
	uint16_t fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
};

/* A component: number, words in the image (of 4 or 8 bytes), location in the message. */
struct component {
	unsigned int nr, word, words;
	size_t n_at, v_at;
	const char *name;
};

#define COMPONENT(nr, word, words, field, name)                                                                   \
	{                                                                                                         \
		nr, word, words, offsetof(UserX86XsaveEntry, n_##field), offsetof(UserX86XsaveEntry, field), name \
	}

static const struct component components[] = {
	COMPONENT(2, 4, 64, ymmh_space, "AVX"),
	COMPONENT(3, 8, 8, bndreg_state, "MPX bounds"),
	COMPONENT(4, 8, 2, bndcsr_state, "MPX control"),
	COMPONENT(5, 8, 8, opmask_reg, "AVX-512 opmask"),
	COMPONENT(6, 8, 64, zmm_upper, "AVX-512 ZMM_Hi256"),
	COMPONENT(7, 8, 128, hi16_zmm, "AVX-512 Hi16_ZMM"),
	COMPONENT(9, 4, 2, pkru, "PKRU"),
};

static const struct {
	unsigned int nr;
	const char *name;
} unsupported[] = {
	{ 8, "processor trace" },  { 10, "PASID" },	    { 11, "CET user state" },
	{ 17, "AMX tile config" }, { 18, "AMX tile data" }, { 19, "APX registers" },
};

static size_t *component_n(const struct component *c, const UserX86XsaveEntry *x)
{
	return (size_t *)((char *)x + c->n_at);
}

static void **component_v(const struct component *c, const UserX86XsaveEntry *x)
{
	return (void **)((char *)x + c->v_at);
}

/* Executed once. All 0: no such leaf. */
static const struct cpuid *state_leaf(unsigned int nr)
{
	static struct cpuid_leaf {
		bool asked;
		struct cpuid is;
	} known[64];
	struct cpuid_leaf *l = &known[nr & 63];

	if (!l->asked)
		cpuid_ask(0xd, nr, &l->is);
	l->asked = true;
	return &l->is;
}

/* Offset of a component in the standard format, 0 if this CPU lacks it. */
static unsigned int component_offset(unsigned int nr, unsigned int *ret_size)
{
	const struct cpuid *l = state_leaf(nr);

	*ret_size = l->a;
	return l->a ? l->b : 0;
}

/* Size of an area for everything that XCR0 enables: what the kernel requires for PTRACE_SETREGSET. */
static size_t area_size(void)
{
	unsigned int size = state_leaf(0)->b;

	return MAX_OF(size, FXSAVE_SIZE + HEADER_SIZE);
}

/* Components supported by this CPU and kernel: XCR0. */
static uint64_t offered_components(void)
{
	return cpu_xcr0();
}

uint64_t xsave_known(void)
{
	uint64_t known = LEGACY_BITS;

	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		known |= BIT(components[i].nr);
	return known;
}

static const char *component_name(unsigned int nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		if (components[i].nr == nr)
			return components[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (unsupported[i].nr == nr)
			return unsupported[i].name;
	return NULL;
}

const char *xsave_names(uint64_t features, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = 0;
	for (unsigned int nr = 2; nr < 64 && len < size; nr++) {
		if (!(features & BIT(nr)))
			continue;
		const char *name = component_name(nr), *comma = len ? ", " : "";
		if (name)
			len += snprintf(ret + len, size - len, "%s%s", comma, name);
		else
			len += snprintf(ret + len, size - len, "%scomponent %u", comma, nr);
	}
	return ret;
}

uint64_t xsave_in_use(const void *xsave, size_t len)
{
	uint64_t bv = 0;

	if (len >= FXSAVE_SIZE + HEADER_SIZE)
		memcpy(&bv, (const char *)xsave + XSTATE_BV_AT, sizeof(bv));
	return bv;
}

struct xsave_area {
	const char *bytes;
	size_t len;
};

static int add_component(const struct component *c, struct xsave_area area, void *(*alloc)(void *ctx, size_t size),
			 void *ctx, UserX86XsaveEntry *x)
{
	unsigned int size, offset = component_offset(c->nr, &size);
	size_t bytes = (size_t)c->word * c->words;

	if (!offset || offset > area.len || area.len - offset < size)
		return -EBADMSG;
	if (bytes > size)
		bytes = ROUND_DOWN(size, c->word);
	void *v = alloc(ctx, bytes);
	if (!v)
		return -ENOMEM;
	memcpy(v, area.bytes + offset, bytes);
	*component_v(c, x) = v;
	*component_n(c, x) = bytes / c->word;
	return 0;
}

static int add_xsave(const char *area, size_t len, void *(*alloc)(void *ctx, size_t size), void *ctx,
		     UserX86FpregsEntry *ret)
{
	UserX86XsaveEntry *x = alloc(ctx, sizeof(*x));
	uint64_t xcr0;

	if (!x)
		return -ENOMEM;
	user_x86_xsave_entry__init(x);
	memcpy(&xcr0, area + XCR0_AT, sizeof(xcr0));
	x->xstate_bv = xsave_in_use(area, len);
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		if (!((xcr0 | x->xstate_bv) & BIT(components[i].nr)))
			continue;
		int err = add_component(&components[i], (struct xsave_area){ area, len }, alloc, ctx, x);
		if (err)
			return err;
	}
	ret->xsave = x;
	return 0;
}

int xsave_to_entry(const void *xsave, size_t len, void *(*alloc)(void *ctx, size_t size), void *ctx,
		   UserX86FpregsEntry *ret)
{
	struct legacy l;

	if (len < FXSAVE_SIZE)
		return -EBADMSG;
	memcpy(&l, xsave, sizeof(l));
	ret->cwd = l.cwd;
	ret->swd = l.swd;
	ret->twd = l.twd;
	ret->fop = l.fop;
	ret->rip = l.rip;
	ret->rdp = l.rdp;
	ret->mxcsr = l.mxcsr;
	ret->mxcsr_mask = l.mxcsr_mask;
	ret->st_space = alloc(ctx, ST_WORDS * 4);
	ret->xmm_space = alloc(ctx, XMM_WORDS * 4);
	if (!ret->st_space || !ret->xmm_space)
		return -ENOMEM;
	memcpy(ret->st_space, (const char *)xsave + ST_AT, ST_WORDS * 4);
	memcpy(ret->xmm_space, (const char *)xsave + XMM_AT, XMM_WORDS * 4);
	ret->n_st_space = ST_WORDS;
	ret->n_xmm_space = XMM_WORDS;
	return len < FXSAVE_SIZE + HEADER_SIZE ? 0 : add_xsave(xsave, len, alloc, ctx, ret);
}

/* ---- restore ---- */

/* MXCSR bits supported by this CPU; the kernel rejects any other. */
static uint32_t mxcsr_mask(void)
{
	struct {
		char bytes[FXSAVE_SIZE];
	} __attribute__((aligned(16))) area = { { 0 } };
	struct legacy l;

	__asm__ volatile("fxsave %0" : "+m"(area));
	memcpy(&l, &area, sizeof(l));
	return l.mxcsr_mask ? l.mxcsr_mask : MXCSR_MASK_DEFAULT;
}

static bool component_is_zero(const struct component *c, const UserX86XsaveEntry *x)
{
	const char *v = *component_v(c, x);
	size_t bytes = *component_n(c, x) * c->word;

	for (size_t i = 0; i < bytes; i++)
		if (v[i])
			return false;
	return true;
}

/*
 * Components that the image uses and this CPU lacks; those that are all zero are in their reset state and not needed.
 */
static uint64_t missing(const UserX86XsaveEntry *x)
{
	uint64_t left = x->xstate_bv & ~LEGACY_BITS & ~offered_components();

	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		if ((left & BIT(components[i].nr)) && component_is_zero(&components[i], x))
			left &= ~BIT(components[i].nr);
	return left;
}

int xsave_check_entry(const UserX86FpregsEntry *e, int strict, char *ret_why, size_t why_size)
{
	const UserX86XsaveEntry *x = e->xsave;
	char names[256];

#define REFUSE(err, ...) return snprintf(ret_why, why_size, __VA_ARGS__), (err)
	if (e->n_st_space != ST_WORDS || e->n_xmm_space != XMM_WORDS)
		REFUSE(-EBADMSG, "fpregs: st_space has %zu words and xmm_space %zu, not %d and %d", e->n_st_space,
		       e->n_xmm_space, ST_WORDS, XMM_WORDS);
	if (e->cwd > UINT16_MAX || e->swd > UINT16_MAX || e->twd > UINT8_MAX || e->fop > UINT16_MAX)
		REFUSE(-EBADMSG, "fpregs: cwd, swd, twd or fop out of range");
	if (e->mxcsr & ~mxcsr_mask())
		REFUSE(-EOPNOTSUPP, "fpregs.mxcsr 0x%x has bits that this CPU does not support (0x%x)", e->mxcsr,
		       e->mxcsr & ~mxcsr_mask());
	if (!x)
		return 0;
	/* The record exists for every CPU with the feature: what counts is whether it was enabled. */
	if (x->cet && x->cet->cet)
		REFUSE(-EOPNOTSUPP, "fpregs.xsave.cet: shadow stacks (CET) are not supported");
	if (x->xstate_bv & ~xsave_known())
		REFUSE(-EOPNOTSUPP, "fpregs.xsave.xstate_bv: images cannot store %s",
		       xsave_names(x->xstate_bv & ~xsave_known(), names, sizeof(names)));
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *c = &components[i];
		unsigned int size, offset = component_offset(c->nr, &size);
		size_t n = *component_n(c, x);

		if (n > (size_t)c->words * 4 || (offset && n * c->word > size))
			REFUSE(-EBADMSG, "fpregs.xsave: too many words (%zu) of %s", n, c->name);
		if ((x->xstate_bv & BIT(c->nr)) && !n)
			REFUSE(-EBADMSG, "fpregs.xsave: xstate_bv contains %s, but its state is missing", c->name);
	}
	if (missing(x) && strict)
		REFUSE(-EOPNOTSUPP,
		       "this CPU has no %s, which the image uses: restore on a CPU that has it, or lose that state with "
		       "--cpu-cap=none",
		       xsave_names(missing(x), names, sizeof(names)));
#undef REFUSE
	return 0;
}

static void put_xsave(const UserX86XsaveEntry *x, char *area, size_t len, uint64_t *bv)
{
	uint64_t offered = offered_components();

	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *c = &components[i];
		unsigned int size, offset = component_offset(c->nr, &size);

		if (!(x->xstate_bv & offered & BIT(c->nr)) || !offset || offset + size > len)
			continue;
		memcpy(area + offset, *component_v(c, x), MIN_OF(*component_n(c, x) * c->word, (size_t)size));
		*bv |= BIT(c->nr);
	}
}

int xsave_from_entry(const UserX86FpregsEntry *e, void *(*alloc)(void *ctx, size_t size), void *ctx, void **ret_xsave,
		     size_t *ret_len)
{
	size_t len = area_size();
	char *area = alloc(ctx, len);
	struct legacy l = { .cwd = (uint16_t)e->cwd,
			    .swd = (uint16_t)e->swd,
			    .twd = (uint8_t)e->twd,
			    .fop = (uint16_t)e->fop,
			    .rip = e->rip,
			    .rdp = e->rdp,
			    .mxcsr = e->mxcsr,
			    .mxcsr_mask = mxcsr_mask() };
	uint64_t bv = LEGACY_BITS, xcr0 = offered_components();

	if (!area)
		return -ENOMEM;
	memcpy(area, &l, sizeof(l));
	memcpy(area + ST_AT, e->st_space, ST_WORDS * 4);
	memcpy(area + XMM_AT, e->xmm_space, XMM_WORDS * 4);
	if (e->xsave)
		put_xsave(e->xsave, area, len, &bv);
	memcpy(area + XSTATE_BV_AT, &bv, sizeof(bv));
	memcpy(area + XCR0_AT, &xcr0, sizeof(xcr0));
	*ret_xsave = area;
	*ret_len = len;
	return 0;
}
