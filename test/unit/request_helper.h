/* SPDX-License-Identifier: GPL-2.0-only */
/* A request that keeps its reports, and helpers to fill it. */
#pragma once
#include <stddef.h>

#include "request/option_spec.h"
#include "request/request.h"

struct asked {
	struct request req;
	char reports[8192]; /* a line each */
};

/* A command to which @spec applies. */
unsigned int command_of(const struct option_spec *spec);
/* Aborts when out of memory. */
void asked_begin(struct asked *asked, unsigned int command);
void asked_end(struct asked *asked);
/* One line of a config file. */
int asked_line(struct asked *asked, const char *line);
/* A valid value for an option; NULL: it takes none. */
const char *sample_value(const struct option_spec *spec);
/* Everything that options can set, as text. */
const char *described(const struct options *opts, char *buf, size_t size);
