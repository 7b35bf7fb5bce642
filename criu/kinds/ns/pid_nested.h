/* SPDX-License-Identifier: GPL-2.0-only */
/* Pid namespaces nested in that of the root of the tree. */
#pragma once

struct dump;
struct restore;

/*
 * When all tasks have been surveyed: finds which of them are in nested pid namespaces, their numbers there, and what a
 * restore could not create.
 */
int pid_nested_survey(struct dump *dump);
/* pid_children.c: at a restore, whether the pid namespaces for children are among those of the images. */
int pid_children_link(struct restore *r);
