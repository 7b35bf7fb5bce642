/* SPDX-License-Identifier: GPL-2.0-only */
/* "Did you mean ...?" */
#pragma once
#include <stddef.h>

/* The closest of @n names to @word, or NULL if none is close. @name_of(i) may return NULL. */
const char *suggest(const char *word, size_t n, const char *(*name_of)(size_t i));
