/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --untrusted-images: a restore with root's rights of images that a user wrote. It is done as that user. The tool gives up
 * what it can do before it opens an image (only CAP_CHECKPOINT_RESTORE remains effective: pids), and takes its rights back
 * for what its caller asked for: the pid file, scripts, statistics. The root of the tree gives them up for good right after
 * its birth. So the kernel itself refuses whatever the user could not have; what is checked here is what a task would
 * get by inheritance, and what can be refused by name before anything exists.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core.pb-c.h"

struct restore;
struct restore_task;

/* Before the images directory is opened, and at the very end. Nothing happens without the option. */
int untrusted_begin(struct restore *r);
int untrusted_end(struct restore *r);
/* In the tool: its own rights, for what the caller asked for, until untrusted_resume(). Each returns 0 or logs. */
int untrusted_pause(struct restore *r);
int untrusted_resume(struct restore *r);
/* In the root of the tree, before it does anything else. */
int untrusted_settle(struct restore *r);
/* In the tool: what tasks had to say goes into the log, which they cannot write to. */
void untrusted_collect_log(struct restore *r);

/* Load: is it no more than the user has? Changes the groups of @creds to the user's, if they are the same set. */
int untrusted_check_creds(const struct restore *r, pid_t tid, CredsEntry *creds);
int untrusted_check_task(const struct restore *r, const struct restore_task *rt);
/* Load: 0 without the option; with it @what is refused. */
int untrusted_refuse(const struct restore *r, const char *what);
/* In the tool, when all threads are stopped and ready: they have no rights but the user's. */
int untrusted_audit(const struct restore *r);
