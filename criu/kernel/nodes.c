// SPDX-License-Identifier: GPL-2.0-only
/* The NUMA nodes of this machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "kernel/nodes.h"
#include "util/fds.h"
#include "util/proc_root.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int nodes_parse(const char *text, size_t len, uint64_t ret[NODES_MAX / 64])
{
	size_t bit = 0;

	memset(ret, 0, NODES_MAX / 8);
	while (len--) {
		int v = digit(text[len]);

		if (text[len] == ',' && bit % 32 == 0)
			continue;
		if (v < 0 || bit >= NODES_MAX)
			return -EBADMSG;
		ret[bit / 64] |= (uint64_t)v << bit % 64;
		bit += 4;
	}
	return bit ? 0 : -EBADMSG;
}

static void read_allowed(uint64_t ret[NODES_MAX / 64])
{
	static const char key[] = "\nMems_allowed:\t";
	_cleanup_buf_ struct buf text = { 0 };
	const char *at, *end;

	if (read_file(proc_root(), "self/status", &text) >= 0 && (at = memmem(text.data, text.len, key, strlen(key)))) {
		at += strlen(key);
		end = memchr(at, '\n', (size_t)(text.data + text.len - at));
		if (end && !nodes_parse(at, (size_t)(end - at), ret))
			return;
	}
	memset(ret, 0, NODES_MAX / 8);
	ret[0] = 1;
}

void nodes_allowed(uint64_t ret[NODES_MAX / 64])
{
	static uint64_t known[NODES_MAX / 64];
	static bool asked;

	if (!asked)
		read_allowed(known);
	asked = true;
	memcpy(ret, known, sizeof(known));
}
