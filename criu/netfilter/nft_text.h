/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nf_tables rules as text of nft(8), by libnftables: the form in which CRIU keeps them. It cannot express everything: see
 * ruleset.h. The library is loaded when it is first needed: it would cost every run 0.5 ms.
 *
 * Functions run in a process that is in the network namespace. 0 or a negative errno that has been logged; -ENOPKG:
 * libnftables is not installed (not logged).
 */
#pragma once
#include "util/str.h"

/* `list ruleset`, appended to @to; without network locks of ours. */
int nft_text_read(struct buf *to);
/* Executes @text, a string with commands of nft(8), as one transaction. */
int nft_text_execute(const char *text);
