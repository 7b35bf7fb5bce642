/* SPDX-License-Identifier: GPL-2.0-only */
/* of_process.c: mounts on files of processes in proc, and of such files. */
#pragma once
#include "kinds/ns/mnt/mount.h"

struct dump;
struct restore;

/* Dump: blockers if the mount is on a file of a process, or shows one, that does not exist when it is restored. */
void mount_check_process_point(struct dump *dump, const struct mount *mount);
void mount_check_process_shown(struct dump *dump, const struct mount *mount);
/* Restore, by load: it waits for all tasks. 0, or a negative errno, logged. */
int mount_note_process(struct restore *r, struct mount *mount);
