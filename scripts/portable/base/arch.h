/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The headers in scripts/portable/ replace those of a CPU in scripts/check_portable: what they declare is all that
 * files outside arch folders may use.
 */
#pragma once
#define PAGE_SZ 4096ul
#define HUGE_PAGE_SZ (2ul << 20)
#define USER_END ((1ull << 47) - PAGE_SZ)
#define USER_END_MAX ((1ull << 56) - PAGE_SZ)
