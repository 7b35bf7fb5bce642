/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of a vDSO's code on this CPU; memory/CPU/vdso_code.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core.pb-c.h"
#include "pie/wire.h"

/* Is @machine (e_machine) that of a vDSO for tasks of this CPU? */
bool vdso_code_is_ours(uint16_t machine);
/* An absolute jump as the first instructions of a function: arguments and stack are unchanged. Sets code and len. */
void vdso_code_jump(uint64_t to, struct wire_vdso_patch *patch);
/*
 * A function that makes the system call @name (without __vdso_) instead. False: there is no such call, and the function
 * fails with ENOSYS.
 */
bool vdso_code_stub(const char *name, struct wire_vdso_patch *patch);
/* Has the thread at @offset just made a system call, or is it about to? */
bool vdso_code_at_syscall(const uint8_t *bytes, size_t len, uint64_t offset);
/* The instruction pointer of a thread in an image; 0: none. */
uint64_t vdso_code_saved_ip(const CoreEntry *core);
