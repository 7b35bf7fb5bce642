/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * @path below the directory @dir ("": it), O_PATH: no link is followed, no other mount entered. A descriptor, or a negative
 * errno, not logged.
 */
int mount_find(int dir, const char *path);
