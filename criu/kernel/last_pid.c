/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/last_pid.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define LAST_PID "sys/kernel/ns_last_pid"

uint64_t last_pid_read(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	return read_file(proc_root(), LAST_PID, &text) || !text.len ? 0 : strtoull(text.data, NULL, 10);
}

int last_pid_write(uint64_t last)
{
	_cleanup_close_ int fd = open_at(proc_root(), LAST_PID, O_WRONLY | O_CLOEXEC, 0);
	char text[24];
	int len = snprintf(text, sizeof(text), "%lu", last);

	return fd < 0 ? fd : write(fd, text, (size_t)len) < 0 ? -errno : 0;
}

bool last_pid_can_be_set(void)
{
	_cleanup_close_ int fd = open_at(proc_root(), LAST_PID, O_WRONLY | O_CLOEXEC, 0);

	return fd >= 0;
}
