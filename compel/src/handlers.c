// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Signal handlers that return into a dead tracer's cave. A handler's frame is on the stack that it runs on, which is the
 * interrupted one or an alternate one: above the thread's stack pointer in both cases. sigaltstack(2)
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "ctl.h"

/* Of what the handler and the functions it has called have put on the stack. */
#define SEARCHED_MAX (1ul << 20)

/* @stack: @len bytes of the target's memory at @from. */
static void skip_in(struct compel_ctl *ctl, uint64_t from, char *stack, size_t len, uint64_t cave,
		    const struct compel_regs *after)
{
	size_t ip_offset = arch_frame_ip_offset(), size = arch_frame_size();
	uint64_t word;

	for (size_t at = ip_offset; at + sizeof(word) <= len; at += sizeof(word)) {
		char *frame = stack + at - ip_offset;

		memcpy(&word, stack + at, sizeof(word));
		if (word - cave >= arch_cave_size() || at - ip_offset + size > len ||
		    !arch_frame_skip_cave(frame, after))
			continue;
		target_write(ctl->mem, ctl->main.tid, from + at - ip_offset, frame, size);
	}
}

static void skip_in_thread(struct compel_ctl *ctl, pid_t tid, uint64_t cave, const struct compel_regs *after)
{
	_cleanup_free_ char *stack = NULL;
	struct compel_regs regs;
	uint64_t from, to = 0;

	if (arch_read_regs(tid, &regs))
		return;
	from = ROUND_DOWN(arch_sp(&regs), sizeof(uint64_t));
	for (size_t i = 0; i < ctl->nr_maps && !to; i++)
		if (from >= ctl->maps[i].start && from < ctl->maps[i].end)
			to = MIN_OF(ctl->maps[i].end, from + SEARCHED_MAX);
	stack = to ? malloc(to - from) : NULL;
	if (stack && !target_read(ctl->mem, from, stack, to - from))
		skip_in(ctl, from, stack, to - from, cave, after);
}

void handlers_skip_cave(struct compel_ctl *ctl, uint64_t cave, const void *bytes)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct compel_regs after;
	struct dirent *e;
	char path[64];

	arch_cave_after(bytes, &after);
	snprintf(path, sizeof(path), "/proc/%d/task", ctl->main.tid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (atoi(e->d_name) > 0)
			skip_in_thread(ctl, atoi(e->d_name), cave, &after);
}
