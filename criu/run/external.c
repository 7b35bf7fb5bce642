/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/external.h"
#include <string.h>
#include "util/str.h"

/* What follows @id in the first --external that begins with it: "" or ":KEY"; NULL: none does. */
static const char *after(const struct options *opts, const char *id, bool with_key)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < opts->externals.n; i++) {
		const char *given = opts->externals.v[i];

		if (!strncmp(given, id, len) &&
		    ((!given[len] && !with_key) || (given[len] == ':' && (!with_key || given[len + 1]))))
			return given + len;
	}
	return NULL;
}

bool external_is_given(const struct options *opts, const char *id)
{
	return after(opts, id, false);
}

const char *external_key(const struct options *opts, const char *id)
{
	const char *key = after(opts, id, true);

	return key ? key + 1 : NULL;
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
