/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "run/kind.h"

int inet_load(struct restore *r, struct file *file, void *state);
