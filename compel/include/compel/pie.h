/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Runtime for code in another process: direct system calls and a few memory functions. No libc, no globals, no
 * relocations. Every call returns the kernel's result, including negative errnos. Structures are the kernel's, so they
 * are passed as void * where libc's differ. Calls without a function here are made with sys_callN(__NR_name, ...).
 *
 * A blob that compel_command runs has one entry:
 * 	unsigned long blob_entry(unsigned int command, void *args);
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

/* In pie/string.c; the compiler calls them by these names. */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* In arch/: clone3 whose child runs @fn(@arg) on the stack in @clone_args and exits with its result. */
long sys_clone3_run(void *clone_args, size_t size, int (*fn)(void *), void *arg);

#include <compel/pie_files.h>
#include <compel/pie_memory.h>
#include <compel/pie_signals.h>
#include <compel/pie_tasks.h>
