/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "run/kind.h"

bool inet_claims(const struct fd_probe *probe);
int inet_save(struct dump *dump, const struct fd_probe *probe, FileEntry *file);
