/* SPDX-License-Identifier: LGPL-2.1-only */
/* Ownership in the declaration: `_cleanup_close_ int fd = ...; return steal_fd(&fd);` */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))
#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_closedir_ __attribute__((cleanup(cleanup_closedir)))
#define _cleanup_fclose_ __attribute__((cleanup(cleanup_fclose)))

/* Hand a descriptor over to the caller: the variable no longer owns it. */
static inline int steal_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}

#define steal_ptr(p)                        \
	({                                  \
		__typeof__(*(p)) _v = *(p); \
		*(p) = NULL;                \
		_v;                         \
	})
