/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <sys/types.h>

struct options;

#define LISTEN_NAME "criu_service.socket"

/*
 * The listening socket: the one that a service manager has passed (sd_listen_fds(3)), unless there is an address; otherwise a new
 * one, where nothing is, or a dead socket of our own. Its name in @ret_path (NULL: it was passed). A negative errno, logged.
 */
int listen_open(const struct options *opts, const char **ret_path);
