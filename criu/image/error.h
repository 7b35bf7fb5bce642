/* SPDX-License-Identifier: GPL-2.0-only */
/* Why something failed, as text: kept in the object at hand, for the caller to log. */
#pragma once

enum { IMAGE_ERROR_MAX = 320 };

struct image_error {
	char text[IMAGE_ERROR_MAX]; /* empty while nothing has failed */
};

/* Note why; gives `error` (a negative errno) back, so that a caller can return it at once. */
int image_fail(struct image_error *why, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
