/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/PID/mountinfo: proc_pid_mountinfo(5). 0 or a negative errno; -EBADMSG: malformed text. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "kernel/proc_pid.h"

/* At the end of mount_info.root: it has been removed since. */
#define MOUNT_REMOVED "//deleted"

/* Strings are unescaped and owned by the mountinfo. */
struct mount_info {
	int mnt_id, parent_id;
	uint32_t dev_major, dev_minor;
	char *root; /* the mounted directory of the file system */
	char *mountpoint; /* relative to the process's root */
	char *options; /* of this mount: "rw,nosuid" */
	int shared_id, master_id, propagate_from; /* peer groups, 0: none */
	bool unbindable;
	char *fstype; /* "fuse.sshfs" with its subtype */
	char *source; /* "" or "none" if there is none */
	char *sb_options; /* of the file system */
	uint32_t ns; /* for the caller: which of several mount namespaces it is in */
};

struct mountinfo {
	struct mount_info *v; /* in the order of the kernel: a parent may come after its children */
	size_t n, cap;
	struct {
		char **v;
		size_t n, cap;
	} texts; /* that the strings are parts of */
};

int mountinfo_read(const struct proc *p, struct mountinfo *ret);
/* Appends those of another mount namespace, with @ns. */
int mountinfo_read_more(const struct proc *p, uint32_t ns, struct mountinfo *to);
/* For tests: of a text. */
int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret);
void mountinfo_free(struct mountinfo *m);
#define _cleanup_mountinfo_ __attribute__((cleanup(mountinfo_free)))
/* NULL if there is none. */
const struct mount_info *mountinfo_find(const struct mountinfo *m, int mnt_id);
/*
 * The mount that the lookup of an absolute path ends on, in namespace @ns, if no symbolic link is on the way. *ret_rest: the path below
 * its mount point, without a leading slash. NULL: not known.
 */
const struct mount_info *mountinfo_at(const struct mountinfo *m, uint32_t ns, const char *path, const char **ret_rest);

/* Of an autofs mount whose daemon has not closed it (it is not catatonic). */
bool mount_is_automounted(const struct mount_info *m);
/* Its requests are for itself or its directories, not for names in its root. */
bool mount_is_trigger(const struct mount_info *m);
/* The pipe to that daemon. */
bool mount_automount_pipe(const struct mount_info *m, uint64_t *ret_ino);
