// SPDX-License-Identifier: GPL-2.0-only
/* "Did you mean ...?" */
#include <string.h>

#include "base/bits.h"
#include "util/suggest.h"

#define WORD_MAX 40

/*
 * Edit distance from @a to @b: letters added, dropped, changed, or swapped with a neighbour. Words are truncated to
 * WORD_MAX.
 */
static size_t distance(const char *a, const char *b)
{
	size_t n = MIN_OF(strlen(a), (size_t)WORD_MAX), m = MIN_OF(strlen(b), (size_t)WORD_MAX);
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN_OF(best, d[i - 1][j] + 1);
			best = MIN_OF(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN_OF(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *suggest(const char *word, size_t n, const char *(*name_of)(size_t i))
{
	size_t best = 1 + strlen(word) / 3, len = strlen(word);
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *name = name_of(i);
		size_t d = name ? distance(word, name) : WORD_MAX;

		/* A prefix of a name counts as one typing mistake. */
		if (name && len >= 3 && !strncmp(word, name, len))
			d = MIN_OF(d, (size_t)1);
		if (d <= best && (!found || d < best)) {
			best = d;
			found = name;
		}
	}
	return found;
}
