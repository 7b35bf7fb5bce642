/* SPDX-License-Identifier: LGPL-2.1-only */
#pragma once
#include <asm/unistd.h>
long sys_call0(long nr);
long sys_call1(long nr, long a);
long sys_call2(long nr, long a, long b);
long sys_call3(long nr, long a, long b, long c);
long sys_call4(long nr, long a, long b, long c, long d);
long sys_call5(long nr, long a, long b, long c, long d, long e);
long sys_call6(long nr, long a, long b, long c, long d, long e, long f);
void sys_rt_sigreturn(unsigned long sp) __attribute__((noreturn));
void sys_switch_stack(unsigned long stack_top, void (*fn)(void *), void *arg) __attribute__((noreturn));
