/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says about tables of ebtables: refuse_ebtables.c */
#pragma once
#include <stdbool.h>

struct ebt_replace;

/*
 * Whether a table may be there, without the kernel loading a module for it. @modules: the text of /proc/modules, empty without modules;
 * @builtin: that of modules.builtin, NULL: there is none.
 */
bool ebtables_may_have(const char *table, const char *modules, const char *builtin);
/* Whether a table is other than a new one. @entries: of info->entries_size bytes */
bool ebtables_has_content(const struct ebt_replace *info, const void *entries);
