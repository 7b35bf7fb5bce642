// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/shm.h"
#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "util/fds.h"

static const char deleted[] = " (deleted)";

enum shm_sort shm_sort_by_name(const char *name, size_t len)
{
	if (len >= 7 && !memcmp(name, "/memfd:", 7))
		return SHM_MEMFD;
	if ((len == 9 && !memcmp(name, "/dev/zero", 9)) || (len == 14 && !memcmp(name, "/anon_hugepage", 14)))
		return SHM_ANONYMOUS;
	if (len != 13 || memcmp(name, "/SYSV", 5) != 0)
		return SHM_NONE;
	for (size_t i = 5; i < len; i++)
		if (!isxdigit((unsigned char)name[i]))
			return SHM_NONE;
	return SHM_SYSV;
}

enum shm_sort shm_sort_by_link(const char *link)
{
	size_t len = strlen(link), cut = sizeof(deleted) - 1;

	return len > cut && !strcmp(link + len - cut, deleted) ? shm_sort_by_name(link, len - cut) : SHM_NONE;
}

bool shm_is_kernels(dev_t dev)
{
	static dev_t known; /* 0: not queried yet; no file system has that number */
	_cleanup_close_ int fd = known ? -1 : memfd_create("probe", MFD_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		known = st.st_dev;
	return !known || known == dev;
}
