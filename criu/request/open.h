/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "request/request.h"

/*
 * Opens the directories and the log of a valid request, and appends its action scripts to the outlets that are notified
 * at each stage. Directories that are already open (options.images_dir_fd, work_dir_fd) take precedence over names. On
 * failure, which is reported, nothing is left open.
 */
int request_open(struct request *req);
/* Closes what is open; the log goes to stderr again. */
void request_close(struct request *req);
