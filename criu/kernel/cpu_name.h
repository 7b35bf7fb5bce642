/* SPDX-License-Identifier: GPL-2.0-only */
/* The name of the model of this CPU, for people: x86_64/cpu_name.c */
#pragma once
#include <stddef.h>

#define CPU_NAME_MAX 64

/* "": it has none. */
void cpu_name(char ret[static CPU_NAME_MAX]);
