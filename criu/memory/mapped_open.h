/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our own descriptor of a mapped file. The kernel has one for every mapping in /proc/PID/map_files, and opens it only for
 * those with rights in the initial user namespace. Without them, the file is looked for where else it may be open, or
 * have its name, and is only accepted if it is certainly the same one.
 */
#pragma once

struct dump;
struct dump_task;
struct kernel_vma;

/*
 * A descriptor (O_PATH), to be closed by the caller, or a negative errno. -EPERM: there is no other way than map_files:
 * a blocker has been added that names the mapping. -EIO: its file system does not answer, which has a blocker, too.
 */
int memory_open_mapped(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v);
