// SPDX-License-Identifier: GPL-2.0-only
/*
 * With --share-pages: each page of a family is saved once.
 * test: breaks=1 timeout=60 options=--share-pages
 */
#include "mem_cow_family.h"
