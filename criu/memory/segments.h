/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared segments. At restore they are made and filled in the tool, before the tree is forked, and every task inherits
 * them: r->segment_fds has segment_key() -> descriptor at or above service_base from in_namespaces on.
 */
#pragma once
#include "run/kind.h"

extern const struct run_kind segments_run;
