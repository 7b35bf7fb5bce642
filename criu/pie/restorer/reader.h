/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { READER_IDLE, READER_BUSY, READER_END };

struct reader {
	bool open;
	_Atomic uint32_t state, tid; /* futexes */
	int32_t fd;
	uint64_t to, len, offset, stack;
	long result;
};

/* Without a tid for it, or if it cannot be created, it stays closed: the caller reads alone. */
void reader_open(struct reader *r, int32_t tid, uint32_t pid_levels);
void reader_start(struct reader *r, int fd, uint64_t to, uint64_t len, uint64_t offset);
/* 0 or a negative errno. */
long reader_wait(struct reader *r);
void reader_close(struct reader *r);
