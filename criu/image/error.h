/* SPDX-License-Identifier: GPL-2.0-only */
/* The error text of an object, for the caller to log. */
#pragma once

enum { IMAGE_ERROR_MAX = 320 };

struct image_error {
	char text[IMAGE_ERROR_MAX]; /* empty: no error */
};

/* Sets the text; returns `error` (a negative errno), so that callers can return it directly. */
int image_fail(struct image_error *why, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
