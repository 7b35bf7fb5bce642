/* SPDX-License-Identifier: GPL-2.0-only */
/* File systems that a daemon mounts others on when they are accessed. autofs(5), Documentation/filesystems/autofs.rst of the kernel */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "autofs.pb-c.h"
#include "run/helper_process.h"

struct mount;
struct ns;
struct restore;
struct restore_task;

/* mode of autofs.proto: what the daemon mounts on */
enum autofs_mode { AUTOFS_MODE_DIRECT, AUTOFS_MODE_INDIRECT, AUTOFS_MODE_OFFSET, AUTOFS_MODES };
static inline const char *autofs_mode_name(int mode)
{
	return mode == AUTOFS_MODE_DIRECT ? "direct" : mode == AUTOFS_MODE_INDIRECT ? "indirect" : "offset";
}

/* mount_fs.data */
struct autofs_restore {
	const AutofsEntry *e;
	const struct restore_task
		*daemon; /* NULL: it is catatonic, and the leader of the group that it shows does not exist */
	int32_t pipe; /* a descriptor of that process; -1: it is catatonic */
	int root; /* its root directory, which every task inherits; -1: not there (yet) */
	int control; /* /dev/autofs of the tool */
};

/* Hooks of struct fs_type. */
int autofs_load(struct restore *r, const struct ns *ns, struct mount *mount);
int autofs_create(struct restore *r, const struct mount *mount);

/* Restore, in the tool: opens what the processes of daemons need; the same for a check: is it there? They log. */
int autofs_prepare(struct restore *r);
int autofs_check(struct restore *r);
void autofs_close(struct restore *r);

/* fs_autofs_number.c */
struct autofs_numbers {
	struct helper_process helper;
	int sock;
};
#define AUTOFS_NO_NUMBERS ((struct autofs_numbers){ HELPER_NONE, -1 })
/* kdev_make() of the file system; -errno. */
int autofs_number_of(int fd, uint32_t *ret);
/* In the tool: nobody else gets these numbers, as far as they are free. -errno; not logged. */
int autofs_numbers_hold(struct autofs_numbers *n, const uint32_t *numbers, size_t nr, int base);
/* In any process: the next file system that is created gets this one, if it was held. */
void autofs_numbers_give_up(const struct autofs_numbers *n, uint32_t number);
void autofs_numbers_end(struct autofs_numbers *n);
