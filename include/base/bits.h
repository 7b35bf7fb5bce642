/* SPDX-License-Identifier: LGPL-2.1-only */
/* Arithmetic that code inside a target may use too: no libc. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, to) ((((x) + (to)-1) / (to)) * (to))
#define ROUND_DOWN(x, to) (((x) / (to)) * (to))
#define BIT(n) (1ull << (n))

/* The page size of every CPU this tool runs on so far; arch/ says if one differs. */
#define PAGE_SZ 4096ul
#define HUGE_PAGE_SZ (2ul << 20)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
