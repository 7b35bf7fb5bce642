/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "request/request.h"

/*
 * Opens the directories and the log of a request that is valid, and adds its action scripts to those who are asked at
 * each step, behind who is there already. Directories that are open (options.images_dir_fd, work_dir_fd) are those that
 * the request names. On failure, which is reported, nothing is left open.
 */
int request_open(struct request *req);
/* The log goes to stderr again. Does nothing to what is not open. */
void request_close(struct request *req);
