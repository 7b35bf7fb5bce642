/* SPDX-License-Identifier: GPL-2.0-only */
/* "Did you mean ...?" */
#pragma once
#include <stddef.h>

/* The name nearest to @word among @n names, or NULL if none is near. @name_of(i) may return NULL. */
const char *suggest(const char *word, size_t n, const char *(*name_of)(size_t i));
