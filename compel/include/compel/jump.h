/* SPDX-License-Identifier: LGPL-2.1-only */
/* Leaving a program for another one in the same process: into a blob, and out of it through a signal frame. */
#pragma once
#include <compel/compel.h>

/* Run the code at @entry as entry(@command, @args) on the stack that ends at @stack_top. */
_Noreturn void compel_jump(uint64_t entry, uint64_t stack_top, unsigned int command, void *args);

/*
 * clone3(2) for a task that shares our memory: it runs @fn(@arg) on the stack that @clone_args names, and exits with its
 * result. Negative errno on failure; errno is left alone.
 */
long compel_clone(void *clone_args, size_t size, int (*fn)(void *), void *arg);

/* Alternate signal stack, as sigaltstack(2) takes it. */
struct compel_altstack {
	uint64_t sp, size;
	uint32_t flags;
};

/*
 * What rt_sigreturn(2) takes for a thread to stand at @state. FS and GS bases are not part of it. The frame is built in
 * @buf (compel_sigframe_size() bytes and 64 for alignment), where it has to lie when it is used; returns the stack
 * pointer for the call.
 */
size_t compel_sigframe_size(const struct compel_thread_state *state);
uint64_t compel_sigframe_build(const struct compel_thread_state *state, const struct compel_altstack *altstack,
			       void *buf);
