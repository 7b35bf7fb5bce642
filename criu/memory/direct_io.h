/* SPDX-License-Identifier: GPL-2.0-only */
/* --image-io-mode direct: pages images are written and read past the page cache, where their file system can do that. open(2) O_DIRECT */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "pie/wire.h"
#include "run/restore.h"

/* Of an open pages image. False, with a warning, the first time: through the page cache. @warned: of this run. */
bool direct_io_begin(int fd, _Atomic uint32_t *warned);
/* What follows goes through the page cache, with a warning, the first time. */
void direct_io_end(int fd, _Atomic uint32_t *warned);
/* In the task, last of all: the descriptors that the restorer reads pages from. */
void direct_io_for_restorer(struct restore *r, const struct wire_task *wire);
