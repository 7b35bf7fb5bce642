/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by whereami.c and its blob. */
#pragma once

#define WHEREAMI_QUERY 1

struct whereami {
	int pid;
	char cwd[4096];
};
