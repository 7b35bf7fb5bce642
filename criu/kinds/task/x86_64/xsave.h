/* SPDX-License-Identifier: GPL-2.0-only */
/* The extended state of a thread: NT_X86_XSTATE of ptrace(2) on one side, user_x86_fpregs_entry on the other. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core.pb-c.h"

/* Names of the components of @features, as "AVX-512 opmask, PKRU", in @ret. */
const char *xsave_names(uint64_t features, char *ret, size_t size);
/* Components that images can store. */
uint64_t xsave_known(void);
/* xstate_bv of a buffer: the components in use. 0 if it is too short. */
uint64_t xsave_in_use(const void *xsave, size_t len);

/* Fill @ret from the buffer; @alloc(@ctx, size) returns zeroed memory. -ENOMEM, -EBADMSG. */
int xsave_to_entry(const void *xsave, size_t len, void *(*alloc)(void *ctx, size_t size), void *ctx,
		   UserX86FpregsEntry *ret);

/*
 * Can this entry be set on this CPU? 0 or a negative errno, with the reason in @ret_why. @strict: components missing
 * from the CPU are an error even if they could be dropped (--cpu-cap).
 */
int xsave_check_entry(const UserX86FpregsEntry *e, int strict, char *ret_why, size_t why_size);
/* A buffer for this CPU, from @alloc, which returns zeroed memory. The entry has been checked. -ENOMEM. */
int xsave_from_entry(const UserX86FpregsEntry *e, void *(*alloc)(void *ctx, size_t size), void *ctx, void **ret_xsave,
		     size_t *ret_len);
