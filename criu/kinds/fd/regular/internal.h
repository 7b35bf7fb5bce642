/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the regular kind. */
#pragma once
#include <limits.h>
#include "base/cleanup.h"
#include "ghost-file.pb-c.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "regfile.pb-c.h"
#include "remap-file-path.pb-c.h"
#include "run/dump.h"
#include "run/names.h"
#include "run/restore.h"
#include "util/array.h"
#include "util/log.h"

/* Prefix of the names created by --link-remap, followed by a number. */
#define LINK_REMAP "link_remap."

/* ---- dump ---- */

/* A file to be saved by its path, whatever refers to it. */
struct subject {
	struct dump_task *task;
	int fd; /* descriptor number in the task; -1: cwd, a mapping, ... */
	int local; /* our copy, may be O_PATH */
	const char *link; /* the path that /proc shows */
	int mnt_id; /* -1: unknown */
	struct stat st;
	uint64_t birth; /* 0: unknown */
	uint64_t pos;
	unsigned flags;
};

/* kind_data of a dump */
struct regular_dump {
	struct record_table paths; /* struct path_entry, by two hashes */
	struct record_table nameless; /* struct nameless, by inode */
	struct record_table searchable; /* struct searchable: certain.c */
	uint32_t last_ghost;
	struct record_table devs; /* tmpfs_save.c */
	struct record_table saved; /* files in a tmpfs, by inode */
	struct record_table detached; /* detached_internal.h */
	bool detached_found; /* all that are kept by the tree are in it */
	size_t nr_lost; /* how many of those would be lost by a reboot */
	const char *first_lost;
	size_t nr_links; /* names created by --link-remap */
	const char *first_link; /* the first file that got one */
};
struct regular_dump *regular_dump_data(struct dump *dump);

/* Its name must not be looked up, as an automounter, which may be frozen, would be asked. Then it is refused, with that name. */
bool regular_refuse_covered(struct dump *dump, const struct subject *s, RegFileEntry *reg);

/* bound.c: the mount that it is opened through instead; NULL: by its name, or as a file of its own. */
const struct mount_info *regular_bound_by(struct dump *dump, const struct subject *s);

/*
 * detached.c: of a file on a mount that is attached nowhere: its mount and name, and what the mount is. Returns 1 if it is one; it may
 * have been refused. 0: it is not known to be one, and found by its name.
 */
int regular_detached(struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* Reports those that no descriptor keeps. */
int regular_detached_end(struct dump *dump);
/* Of a file that is found by its name: reports it if it is on such a mount all the same, and returns 1. */
int regular_refuse_detached(struct dump *dump, const struct subject *s);

/* detached_save.c: of a file on it: whether anything keeps the mount. */
bool detached_is_alive(const struct subject *s);
/* What it is and a copy of, by its keeper; it may be refused. */
int detached_save(struct dump *dump, const struct subject *s, DetachedMountEntry **ret);
#define ROOT_ATTACHED_NOWHERE "is the root of a mount that is attached nowhere (open_tree(2), fsmount(2))"

/*
 * The name for entry @id of the image. If the name does not lead to the file (any more), the file is saved as a ghost
 * or by a link remap; if neither is possible, a blocker is reported.
 */
int regular_name(struct dump *dump, const struct subject *s, uint32_t id, const char **ret_name);
/* NFS keeps an unlinked open file under a name like this until it is closed: treat it as unlinked. */
bool is_silly_renamed(const struct subject *s, const char *path);
/* The name of an open file for --external and in images, in CRIU's format. */
void regular_external_name(int local, const struct stat *st, char *ret_name, size_t size);
/* For the end of a message: how to leave it out with that; "" if it is not an open file. */
const char *regular_external_hint(struct dump *dump, const struct subject *s);
/* For a file in /proc: reports what would prevent opening it again. */
void proc_file_check(struct dump *dump, const struct subject *s, const char *path);

/* /proc/PID[/task/TID]REST */
struct proc_path {
	pid_t pid, tid; /* tid 0: no /task/TID */
	const char *rest;
};
#define PROC_PATH "/proc/" /* style: how the kernel and images begin such a name */
bool proc_path_parse(const char *path, struct proc_path *ret);
/*
 * Whether the file belongs to a task that has exited. @path is its name without " (deleted)", and does not lead to the
 * file.
 */
bool proc_file_is_gone(const struct dump *dump, const struct subject *s, const char *path, struct proc_path *ret);
/* Reports what would prevent restoring it. */
int proc_file_check_gone(struct dump *dump, const struct subject *s, const struct proc_path *p, const char *path);
/* Whether it shows namespaces, even after the task has exited. */
bool proc_file_shows_namespace(const char *rest);
/*
 * Whether there is something to read at @pos, the position of @fd, although the task has exited. Changes nothing.
 */
int proc_file_has_unread(int fd, uint64_t pos, bool *ret);
/* Whether opening it again is enough. */
bool device_is_stateless(dev_t dev);
/* For other devices: the state that they keep for their opener, and what to do about it. */
const char *device_reason(const char *path);
/* At the end of the dump: reports that the names created by --link-remap are good for one restore. */
void regular_links_saved(struct dump *dump);
/* Removes the names created by --link-remap. */
void regular_save_undo(struct dump *dump);
/* Why a file is saved as a ghost, and the limit of its size. */
struct ghost_rule {
	const char *state; /* "was unlinked" */
	const char *option, *give; /* of the limit; with the separator before a value: "--ghost-limit " */
	uint64_t limit;
};
/* Writes the file into a new ghost image. *ret_id is unchanged if it is too large (a blocker), or for `criu check`. */
int ghost_save(struct dump *dump, const struct subject *s, const char *path, const struct ghost_rule *rule,
	       uint32_t *ret_id);
/* Fills in the attributes of an inode; @times: storage for two of them. */
void ghost_head_of(const struct dump *dump, const struct stat *st, GhostFileEntry *head, Timeval times[2]);

/* Whether @path leads to that inode; a symbolic link as its last component is not followed. */
bool name_leads_to(const struct dump *dump, const struct subject *s, const char *path);
/* --tmpfs-files: a copy of a file that has a name, if it is in a tmpfs. */
int tmpfs_file_save(struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* With --tmpfs-files: another name, in the same directory, of a tmpfs file that was unlinked as @path; NULL: none. */
int tmpfs_other_name(struct dump *dump, const struct subject *s, const char *path, const char **ret);
/* At the end of the dump: reports what would be lost by a reboot. */
void tmpfs_files_saved(struct dump *dump);

/* ---- validation ---- */

/* What restore compares: size, build id. */
int regular_note_content(struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* Identity of the file: device, inode, birth time. */
void regular_note_identity(const struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* Reports a file that a restore may not open as it could not be recognized. @name: its path in the images. */
void regular_check_certain(struct dump *dump, const struct subject *s, const char *name);
/* Whether the file open as @fd is the one that was saved. Logs. */
int regular_check_content(struct restore *r, const RegFileEntry *reg, int fd);

/* ---- restore ---- */

struct ghost {
	struct record record; /* 0, ghost id */
	GhostFileEntry *head; /* in the arena */
	uint64_t size;
	int created_fd; /* --tmpfs-files: the file created from it; -1: none */
};

/* Names to remove, in the order in which they were created. */
struct created {
	char *path;
	const struct audience *to; /* the tasks that it was created for */
	int mnt_id; /* of the images: run/path.h */
	dev_t dev; /* identity of the file: the name may have been replaced meanwhile */
	ino_t ino;
	bool dir;
};
ARRAY_OF(created_array, struct created);

struct remap {
	struct record record; /* 0, id of the file */
	const RemapFilePathEntry *entry;
	const struct file *file; /* set by link */
	const RegFileEntry *reg; /* of the file; set by link */
	const RegFileEntry *to; /* LINKED: the other name */
	struct ghost *ghost; /* GHOST */
	bool of_gone_task; /* PROCFS: remap_id is the pid of a task that has exited */
	int fd; /* O_PATH, above service_base; set by in_namespaces */
	bool proven; /* certainly the file that was saved: may be opened with our rights */
	bool is_description; /* @fd is the open file itself, not O_PATH */
	struct remap *same_inode; /* an earlier one with the same ghost or link */
	struct link_name {
		int dir; /* O_PATH, above service_base; or -errno */
		const struct opener *as; /* whose rights remove it */
		dev_t dev; /* of the file that it leads to */
		ino_t ino;
	} link; /* LINKED: where remap->to->name is; removed when the tree is complete. Set by in_namespaces */
};

/* state of a file */
struct regular {
	const RegFileEntry *reg;
	const struct remap *remap; /* NULL: opened by its name */
	const struct inherited *inherited; /* passed with --inherit-fd */
};

/* check.c: for struct fd_kind */
int regular_check(struct restore *r, struct file *file, const void *state);
/* What a task may do with a file that it has opened with these flags: R_OK, W_OK */
int regular_access_of(unsigned flags);

/* A process with the pid of one that has exited (proc_gone.c); it exists until every task has been set up. */
struct stand_in {
	pid_t pid;
	struct stand_in *next;
};

/* kind_data of a restore */
struct regular_restore {
	bool loaded;
	struct record_table remaps, ghosts;
	struct record_table inherited; /* struct inherited, by file id */
	struct stand_in *stand_ins;
	struct record_table saved; /* struct saved_file, by file id */
	struct record_table detached; /* struct made_mount, by mount id */
	struct created_array created; /* of kept files: removed if the restore fails */
};

struct inherited {
	struct record record;
	const struct inherit_fd *given;
	int fd; /* above service_base; set by in_namespaces */
};

/* Reads and checks remap-fpath.img and the ghost files, once. */
int remaps_load(struct restore *r, struct regular_restore **ret_data);
int ghost_load(struct restore *r, struct regular_restore *data, uint32_t id, struct ghost **ret_ghost);
/* Writes the content of a ghost to @fd; -1: only checks it. */
int ghost_content(struct restore *r, const struct ghost *ghost, int fd, uint64_t *ret_size);
/* Creates, opens and unlinks all files that have no name. */
int remaps_make(struct restore *r, struct regular_restore *data);
/* Files of tasks that have exited: check the record; open the files; end the stand-in processes. */
int proc_gone_link(const struct remap *remap);
int proc_gone_make(struct restore *r, struct regular_restore *data);
int proc_gone_ready(struct restore *r);
void proc_gone_failed(struct restore *r);
/*
 * Prepares for removing the name created by --link-remap at the dump, which @fd refers to: once the tree is complete,
 * nothing may fail for lack of a descriptor. Returns with the rights to remove it.
 */
int link_name_prepare(struct restore *r, struct remap *remap, int fd);
/* Removes those names. */
void remaps_committed(struct restore *r);

/* created.c: shared by remaps.c and tmpfs_make.c. Moves the last component of @path to @ret_name. */
int split_path(char *path, char ret_name[NAME_MAX + 1]);
/* Opens what this thread has just created as @name; the owner of the directory may have replaced it. */
int open_created(int dir, const char *name, mode_t type);
/*
 * Removes what has just been created and not been noted yet. @err -EAGAIN: it was replaced, and is not ours to remove.
 */
void remove_unnoted(int dir, const char *name, bool is_dir, int err);
int note_created(struct created_array *created, const struct audience *to, int mnt_id, const char *path, int fd);
/* Removes each name that still leads to the file that was created. */
int remove_names(struct restore *r, struct created_array *created);
/* Owner, mode and times, through the descriptor; returns with our own rights. */
int set_attributes(struct restore *r, const GhostFileEntry *head, int fd, const char *name);
int set_times(const GhostFileEntry *head, int fd, const char *name);

/* detached_make.c: mounts that are attached nowhere. Made by the first process, before it forks others. */
int detached_load(struct restore *r, struct regular_restore *data, const struct file *file);
int detached_link(struct restore *r);
int detached_prepare(struct restore *r);
int detached_close(struct restore *r);
int detached_make(struct restore *r, const struct restore_task *task);
/* A descriptor that keeps the mount, or -errno. */
int detached_open(struct restore *r, const RegFileEntry *reg);
/* The mount itself, where it is made; -1: it is not. */
int detached_root(struct restore *r, const RegFileEntry *reg);
/* Is it that whose root is this file? Then no path leads to it. */
bool detached_is_file(struct restore *r, const RegFileEntry *reg);
/* Is it a path in such a mount? */
bool detached_has(const struct regular_restore *data, const RegFileEntry *reg);

/* --tmpfs-files */
int tmpfs_file_load(struct restore *r, struct regular_restore *data, const struct file *file);
/* Creates those that are missing. */
int tmpfs_files_make(struct restore *r, struct regular_restore *data);
void tmpfs_files_committed(struct restore *r);
void tmpfs_files_failed(struct restore *r);
