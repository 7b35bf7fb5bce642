/* SPDX-License-Identifier: GPL-2.0-only */
/* Config files. Errors are reported with file and line. */
#pragma once
#include <stdbool.h>
#include "request/request.h"

/*
 * The default files (not with --config), CRIU_CONFIG_FILE and --config, each overriding the previous ones. Options of
 * other commands are ignored.
 */
int config_load(struct request *req);
/*
 * The file of an RPC client, after its fields: its directories and log file replace those of the fields, the log level and
 * the pid do not. One that does not exist, or is a directory, has no effect.
 */
int config_load_last(struct request *req, const char *path);
/* One file; @must: it is an error if it does not exist. */
int config_load_file(struct request *req, const char *path, bool must);
