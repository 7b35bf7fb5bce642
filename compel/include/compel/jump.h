/* SPDX-License-Identifier: LGPL-2.1-only */
/* Switching to other code in the same process: into a blob, and out of it through a signal frame. */
#pragma once
#include <compel/compel.h>

/* Runs the code at @entry as entry(@command, @args) on the stack that ends at @stack_top. */
_Noreturn void compel_jump(uint64_t entry, uint64_t stack_top, unsigned int command, void *args);

/*
 * clone3(2) for a task that shares our memory: it runs @fn(@arg) on the stack in @clone_args, and exits with its
 * result. Negative errno on failure; errno is not changed.
 */
long compel_clone(void *clone_args, size_t size, int (*fn)(void *), void *arg);

/* Alternate signal stack, as sigaltstack(2) takes it. */
struct compel_altstack {
	uint64_t sp, size;
	uint32_t flags;
};

/*
 * Builds the frame for rt_sigreturn(2) that sets a thread to @state. FS and GS bases are not part of it. The frame is
 * in @buf (compel_sigframe_size() bytes and 64 for alignment), and must be there when it is used; returns the stack
 * pointer for the call.
 */
size_t compel_sigframe_size(const struct compel_thread_state *state);
uint64_t compel_sigframe_build(const struct compel_thread_state *state, const struct compel_altstack *altstack,
			       void *buf);
