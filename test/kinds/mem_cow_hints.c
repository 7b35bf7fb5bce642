// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a family are saved for each, with hints which of them are the same.
 * test: breaks=1 decode=yes timeout=60
 */
#include "mem_cow_family.h"
