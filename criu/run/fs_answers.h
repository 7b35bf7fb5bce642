/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Some file systems live by a server: FUSE, NFS and the like. When it has stopped, or is a task of the frozen tree itself,
 * whoever asks it waits in a call that not even SIGKILL ends, and a tracer that waits so keeps the tree frozen.
 */
#pragma once
#include <stdbool.h>

struct dump;
struct dump_task;
struct fd_probe;

/*
 * Does the file system of a file answer? To be asked before anything that needs more of the file than the kernel has in
 * memory: fstat(2), a walk to its name, and closing a copy of its descriptor (FUSE is told of each). Runs in the tool, tree
 * frozen. Of local file systems nothing is asked; any other mount once, by a helper process that is given up when it gets
 * stuck. False: there is a blocker, which names @link; leave the file alone.
 *
 * Of a descriptor there is no copy yet: @probe has its task, its number and its link.
 */
bool dump_fd_answers(struct dump *dump, struct fd_probe *probe);
/* @local: a descriptor of the file, made with O_PATH (or one that we have anyway). @task, @link: for the blocker. */
bool dump_path_answers(struct dump *dump, const struct dump_task *task, int local, const char *link);
