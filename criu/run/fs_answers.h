/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Some file systems depend on a server: FUSE, NFS and the like. If it has stopped, or is a task of the frozen tree
 * itself, accessing it blocks in a call that not even SIGKILL interrupts, and a tracer that blocks keeps the tree
 * frozen.
 */
#pragma once
#include <stdbool.h>

struct dump;
struct dump_task;
struct fd_probe;

/*
 * Does the file system of a file respond? To be called before anything that may need the server: fstat(2), a path
 * lookup, and closing a copy of its descriptor (FUSE is notified of each). Runs in the tool, tree frozen. Local file
 * systems are not queried; any other mount once, by a helper process that is abandoned if it gets stuck. False: a
 * blocker has been added, which names @link; leave the file alone.
 *
 * The descriptor has not been copied yet: @probe has its task, its number and its link.
 */
bool dump_fd_answers(struct dump *dump, struct fd_probe *probe);
/* @local: a descriptor of the file, opened with O_PATH (or one that we have anyway). @task, @link: for the blocker. */
bool dump_path_answers(struct dump *dump, const struct dump_task *task, int local, const char *link);
