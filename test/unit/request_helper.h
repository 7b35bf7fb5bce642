/* SPDX-License-Identifier: GPL-2.0-only */
/* A request whose reports are kept, and ways to fill it. */
#pragma once
#include <stddef.h>

#include "request/option_spec.h"
#include "request/request.h"

struct asked {
	struct request req;
	char reports[8192]; /* a line each */
};

/* A command that @spec is for. */
unsigned int command_of(const struct option_spec *spec);
/* Aborts when there is no memory. */
void asked_begin(struct asked *asked, unsigned int command);
void asked_end(struct asked *asked);
/* One line of a config file. */
int asked_line(struct asked *asked, const char *line);
/* A value that an option takes; NULL: it takes none. */
const char *sample_value(const struct option_spec *spec);
/* Everything that options can set, as text. */
const char *described(const struct options *opts, char *buf, size_t size);
