/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Type-safe arrays that grow:
 *
 * 	ARRAY_OF(vma_array, struct vma);              declares struct vma_array { struct vma *v; size_t n, cap; }
 * 	struct vma_array a = { 0 };
 * 	struct vma *v = array_push(&a);               a new zeroed element, NULL if out of memory
 * 	array_for_each(v, &a) ...
 * 	array_free(&a);
 *
 * Growing moves the elements: across a push, keep indexes, not pointers.
 */
#pragma once
#include <stdlib.h>
#include <string.h>

#define ARRAY_OF(name, type)   \
	struct name {          \
		type *v;       \
		size_t n, cap; \
	}

/* Reserves space for @more elements: 0 or -ENOMEM. */
#define array_reserve(a, more) array_grow_((void **)&(a)->v, (a)->n, &(a)->cap, sizeof(*(a)->v), (more))

#define array_push(a)                                                   \
	({                                                              \
		__typeof__((a)->v) _e = NULL;                           \
		if ((a)->n < (a)->cap || !array_reserve((a), 1))        \
			_e = memset(&(a)->v[(a)->n++], 0, sizeof(*_e)); \
		_e;                                                     \
	})

/* Appends a value: 0 or -ENOMEM. */
#define array_add(a, value)                                             \
	({                                                              \
		int _r = (a)->n < (a)->cap ? 0 : array_reserve((a), 1); \
		if (!_r)                                                \
			(a)->v[(a)->n++] = (value);                     \
		_r;                                                     \
	})

#define array_free(a)          \
	do {                   \
		free((a)->v);  \
		(a)->v = NULL; \
		(a)->n = 0;    \
		(a)->cap = 0;  \
	} while (0)

#define array_for_each(pos, a) for (pos = (a)->v; (a)->n && pos < (a)->v + (a)->n; pos++)
#define array_sort(a, cmp)                                             \
	do {                                                           \
		if ((a)->n > 1)                                        \
			qsort((a)->v, (a)->n, sizeof(*(a)->v), (cmp)); \
	} while (0)

/* Used by array_reserve(): do not call it directly. */
int array_grow_(void **v, size_t n, size_t *cap, size_t size, size_t more);
