// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Signal handlers that return into a dead tracer's cave. The frame of a handler is just below the stack pointer that the
 * cave restores; or on an alternate stack, sigaltstack(2), where the handler is running.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "ctl.h"

/* A frame with the red zone and the state of the FPU: 11 KiB with AMX. Of an alternate stack, what is searched. */
#define FRAME_MAX (32ul << 10)
#define ALTSTACK_MAX (256ul << 10)

struct dead_cave {
	uint64_t at;
	struct compel_regs after;
};

/*
 * If we are killed between two of these steps, the handler returns into the cave where that restores everything. The last
 * one is atomic.
 */
static int rewrite(struct compel_ctl *ctl, const struct dead_cave *cave, uint64_t at, char *frame)
{
	uint64_t ip, ip_at = at + arch_frame_ip_offset(), restore = cave->at + arch_cave_restore_offset();
	int err;

	memcpy(&ip, frame + arch_frame_ip_offset(), sizeof(ip));
	memcpy(frame + arch_frame_ip_offset(), &restore, sizeof(restore));
	err = target_write(ctl->mem, ctl->main.tid, ip_at, &restore, sizeof(restore));
	if (!err)
		err = target_write(ctl->mem, ctl->main.tid, at, frame, arch_frame_size());
	return err ? err : target_write(ctl->mem, ctl->main.tid, ip_at, &ip, sizeof(ip));
}

/* In [from, to), as far as that is in one mapping. */
static int skip_between(struct compel_ctl *ctl, const struct dead_cave *cave, uint64_t from, uint64_t to)
{
	const struct target_map *map = ctl_map_at(ctl, to - 1);
	size_t size = arch_frame_size(), len;
	_cleanup_free_ char *stack = NULL;
	int err;

	if (!map)
		return 0;
	from = ROUND_UP(MAX_OF(from, map->start), sizeof(uint64_t));
	len = to > from ? to - from : 0;
	stack = malloc(len + 1);
	if (!stack)
		return -ENOMEM;
	err = target_read(ctl->mem, from, stack, len);
	for (size_t at = 0; !err && at + size <= len; at += sizeof(uint64_t)) {
		uint64_t ip;

		memcpy(&ip, stack + at + arch_frame_ip_offset(), sizeof(ip));
		if (ip - cave->at < arch_cave_size() && arch_frame_skip_cave(stack + at, &cave->after))
			err = rewrite(ctl, cave, from + at, stack + at);
	}
	return err;
}

static int skip_in_thread(struct compel_ctl *ctl, const struct dead_cave *cave, pid_t tid)
{
	const struct target_map *map;
	struct compel_regs regs;
	uint64_t sp;

	/* Threads that we did not stop cannot be checked: the caller is responsible for them. */
	if (arch_read_regs(tid, &regs))
		return 0;
	sp = arch_sp(&regs);
	map = ctl_map_at(ctl, sp);
	/* A handler that has just returned: its frame is without the return address. */
	return map ? skip_between(ctl, cave, sp - sizeof(uint64_t), MIN_OF(map->end, sp + ALTSTACK_MAX)) : 0;
}

int handlers_skip_cave(struct compel_ctl *ctl, uint64_t at, const void *bytes)
{
	struct dead_cave cave = { .at = at };
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	char path[64];
	int err;

	arch_cave_after(bytes, &cave.after);
	snprintf(path, sizeof(path), "/proc/%d/task", ctl->main.tid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	err = skip_between(ctl, &cave, arch_sp(&cave.after) - FRAME_MAX, arch_sp(&cave.after));
	while (!err && (e = readdir(dir)))
		if (atoi(e->d_name) > 0)
			err = skip_in_thread(ctl, &cave, atoi(e->d_name));
	return err;
}
