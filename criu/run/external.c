/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/external.h"
#include <string.h>
#include "util/str.h"

const char *external_key(const struct options *opts, const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < opts->externals.n; i++) {
		const char *given = opts->externals.v[i];

		if (!strncmp(given, id, len) && (!given[len] || given[len] == ':'))
			return given[len] ? given + len + 1 : given;
	}
	return NULL;
}

bool external_is_given(const struct options *opts, const char *id)
{
	return external_key(opts, id);
}

const struct inherit_fd *external_inherited(const struct options *opts, const char *key)
{
	for (size_t i = 0; i < opts->inherit_nr; i++) {
		const char *given = opts->inherit[i].key;

		if (str_eq(given, key) || (key[0] == '/' && str_eq(given, key + 1)))
			return &opts->inherit[i];
	}
	return NULL;
}
