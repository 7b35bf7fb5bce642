/* SPDX-License-Identifier: GPL-2.0-only */
/* What a vDSO offers, read from its bytes as they are mapped. The bytes may be an image's: nothing in them is trusted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pie/wire.h"

#define VDSO_MAX_LEN (1ul << 20)
#define VDSO_MAX_SYMBOLS 64

/* A function. @name lies in the bytes that were parsed. */
struct vdso_symbol {
	const char *name;
	uint64_t offset;
};

struct vdso_symbols {
	struct vdso_symbol v[VDSO_MAX_SYMBOLS];
	size_t n;
	size_t loaded; /* bytes that the ELF file says are loaded; behind them there is nothing */
};

/* NULL, or why it is no vDSO of this CPU that can be used. */
const char *vdso_parse(const void *bytes, size_t len, struct vdso_symbols *ret_symbols);
/* The same functions in the same places. */
bool vdso_same_symbols(const struct vdso_symbols *a, const struct vdso_symbols *b);

/* Functions, and where the bytes that they lie in are mapped. */
struct vdso_at {
	const struct vdso_symbols *symbols; /* NULL: there is no vDSO */
	uint64_t at, len;
};

/* What makes the functions of @old those of @own. A function that @own lacks becomes a system call, or fails with ENOSYS.
 * Errors are logged. */
int vdso_make_patches(const struct vdso_at *old, const struct vdso_at *own,
		      struct wire_vdso_patch ret_patches[VDSO_MAX_SYMBOLS], size_t *ret_nr);
