/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of a vDSO, parsed from its bytes as mapped. They may come from an image: nothing in them is trusted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pie/wire.h"

#define VDSO_MAX_LEN (1ul << 20)
#define VDSO_MAX_SYMBOLS 64

/* A function. @name points into the parsed bytes. */
struct vdso_symbol {
	const char *name;
	uint64_t offset;
};

struct vdso_symbols {
	struct vdso_symbol v[VDSO_MAX_SYMBOLS];
	size_t n;
	size_t loaded; /* number of bytes that the ELF file loads; nothing is mapped beyond */
};

/* NULL, or why it is not a usable vDSO for this CPU. */
const char *vdso_parse(const void *bytes, size_t len, struct vdso_symbols *ret_symbols);
/* Do both have the same functions at the same offsets? */
bool vdso_same_symbols(const struct vdso_symbols *a, const struct vdso_symbols *b);

/* Functions, and where their code is mapped. */
struct vdso_at {
	const struct vdso_symbols *symbols; /* NULL: there is no vDSO */
	uint64_t at, len;
};

/*
 * Creates patches that redirect the functions of @old to those of @own. A function that @own lacks becomes a system
 * call, or fails with ENOSYS. Errors are logged.
 */
int vdso_make_patches(const struct vdso_at *old, const struct vdso_at *own,
		      struct wire_vdso_patch ret_patches[VDSO_MAX_SYMBOLS], size_t *ret_nr);
