/* SPDX-License-Identifier: GPL-2.0-only */
/* Files with anonymous inodes are recognized by name alone. */
#pragma once
#include <string.h>
#include "base/cleanup.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

/* "anon_inode:[eventfd]" and, without brackets for some types, "anon_inode:inotify". */
static inline bool fd_is_anon(const struct fd_probe *probe, const char *name)
{
	const char *link = probe->link;
	size_t len = strlen(name);

	if (!link || strncmp(link, "anon_inode:", 11))
		return false;
	link += 11;
	if (!strcmp(link, name))
		return true;
	return link[0] == '[' && !strncmp(link + 1, name, len) && !strcmp(link + 1 + len, "]");
}
