/* SPDX-License-Identifier: GPL-2.0-only */
/* The forms of output of criu ps. */
#pragma once
#include "inspect/contents.h"
#include "run/options.h"

void ps_text(const struct contents *c, const struct options *opts);
void ps_json(const struct contents *c);
void ps_dot(const struct contents *c);
