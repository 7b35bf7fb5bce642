/* SPDX-License-Identifier: GPL-2.0-only */
/* Config files. What is wrong in one is reported with its place. */
#pragma once
#include <stdbool.h>
#include "request/request.h"

/* The default files, CRIU_CONFIG_FILE and --config, in rising order of precedence. Options for other commands are passed over. */
int config_load(struct request *req);
/* One file; @must: that it is missing is an error. */
int config_load_file(struct request *req, const char *path, bool must);
