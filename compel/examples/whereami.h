/* SPDX-License-Identifier: GPL-2.0-only */
/* What crosses over between whereami.c and its blob. */
#pragma once

#define WHEREAMI_TELL 1

struct whereami {
	int pid;
	char cwd[4096];
};
