/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: mounts of engines on files that the kernel here does not have. They are left out, with a warning. */
#pragma once
#include <stdbool.h>

struct mount;

/* @err: of opening what it is a bind of. True: it is now left out. */
bool mount_protects_nothing(struct mount *mount, int err);
/* Of a mount that exists, and is about to be attached. */
bool mount_hides_nothing(struct mount *mount);
