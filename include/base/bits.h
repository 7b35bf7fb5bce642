/* SPDX-License-Identifier: LGPL-2.1-only */
/* Arithmetic that code inside a target may use too: no libc. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/arch.h" /* PAGE_SZ and where user addresses end: include/arch/ */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, to) ((((x) + (to)-1) / (to)) * (to))
#define ROUND_DOWN(x, to) (((x) / (to)) * (to))
#define BIT(n) (1ull << (n))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
