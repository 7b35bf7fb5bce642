/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* 0 or a negative errno, logged. */
int holder_start(struct lazy_daemon *d);
