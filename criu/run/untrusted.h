/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --untrusted-images: a restore by root of images that a user wrote, executed as that user. The tool drops its
 * privileges before it opens an image (only CAP_CHECKPOINT_RESTORE remains effective, for pids), and regains them for
 * what its caller requested: the pid file, scripts, statistics. The root of the tree drops them permanently right after
 * fork. So the kernel itself denies whatever the user could not do; what is checked here is what a task would inherit,
 * and what can be refused by name before anything exists.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core.pb-c.h"

struct restore;
struct restore_task;

/* Called before the images directory is opened, and at the very end. No effect without the option. */
int untrusted_begin(struct restore *r);
int untrusted_end(struct restore *r);
/*
 * In the tool: regains its own rights, for what the caller requested, until untrusted_resume(). Not if the user is the caller
 * (options.user_is_caller). 0 or a logged error.
 */
int untrusted_pause(struct restore *r);
int untrusted_resume(struct restore *r);
/* In the root of the tree, first of all. */
int untrusted_settle(struct restore *r);
/* In the tool: appends the messages of tasks to the log, which they cannot write to. */
void untrusted_collect_log(struct restore *r);

/*
 * In load: checks that they do not exceed the user's. Changes the groups of @creds to the user's, if they are the same
 * set.
 */
int untrusted_check_creds(const struct restore *r, pid_t tid, CredsEntry *creds);
int untrusted_check_task(const struct restore *r, const struct restore_task *rt);
/* In load: 0 without the option; with it, fails because of @what. */
int untrusted_refuse(const struct restore *r, const char *what);
/* In the tool, when all threads are stopped and ready: checks that they have only the user's rights. */
int untrusted_audit(const struct restore *r);
