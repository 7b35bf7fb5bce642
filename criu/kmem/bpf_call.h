/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls of bpf(2) that readers of the kernel's memory are made of. 0, a descriptor, or a negative errno. */
#pragma once
#include <linux/bpf.h>
#include <stddef.h>

int bpf_call(int command, union bpf_attr *attr);
/* A map of one element, for mmap(2): what a program and we share. */
int bpf_make_window(size_t size);
/* A program that runs when it is told to. */
int bpf_load(const struct bpf_insn *insns, unsigned n);
int bpf_run(int prog);
