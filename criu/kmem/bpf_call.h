/* SPDX-License-Identifier: GPL-2.0-only */
/* The bpf(2) calls that the readers of kernel memory use. 0, a descriptor, or a negative errno. */
#pragma once
#include <linux/bpf.h>
#include <stddef.h>

int bpf_call(int command, union bpf_attr *attr);
/* A map with one element, for mmap(2): shared between a program and us. */
int bpf_make_window(size_t size);
/* A program to be run by bpf_run(). */
int bpf_load(const struct bpf_insn *insns, unsigned n);
int bpf_run(int prog);
