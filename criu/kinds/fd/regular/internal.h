/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the regular kind. */
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

/* The names that --link-remap gives: LINK_REMAP and a number. */
#define LINK_REMAP "link_remap."

/* ---- dump ---- */

/* A file to be saved by its path, whoever names it. */
struct subject {
	struct dump_task *task;
	int fd; /* number in the task, -1: cwd, a mapping, ... */
	int local; /* our copy, O_PATH perhaps */
	const char *link; /* what /proc says */
	int mnt_id; /* -1: unknown */
	struct stat st;
	uint64_t birth; /* 0: unknown */
	uint64_t pos;
	unsigned flags;
};

/* kind_data of a dump */
struct regular_dump {
	struct record_table paths; /* struct path_entry, by two hashes */
	struct record_table gone; /* struct gone, by inode */
	uint32_t last_ghost;
	struct record_table devs; /* tmpfs_save.c */
	struct record_table kept; /* files in a tmpfs, by inode */
	size_t nr_lost; /* of those, how many a reboot loses */
	const char *first_lost;
	size_t nr_links; /* names that --link-remap made */
	const char *first_link; /* of what */
};
struct regular_dump *regular_dump_data(struct dump *dump);

/*
 * The name that entry @id of the image gets. A file that the name does not lead to (any more) is kept by a ghost or by
 * a link remap; if that cannot be, there is a blocker.
 */
int regular_name(struct dump *dump, const struct subject *s, uint32_t id, const char **ret_name);
/* Of a file of /proc: reports what stands in the way of finding it again. */
void proc_file_look(struct dump *dump, const struct subject *s, const char *path);

/* /proc/PID[/task/TID]REST */
struct proc_path {
	pid_t pid, tid; /* tid 0: not by a thread */
	const char *rest;
};
#define PROC_PATH "/proc/" /* style: how the kernel and images begin such a name */
bool proc_path_parse(const char *path, struct proc_path *ret);
/* Is it a file of a task that is gone? Of one that @path, its name without " (deleted)", does not lead to. */
bool proc_file_is_gone(const struct subject *s, const char *path, struct proc_path *ret);
/* Reports what keeps it from coming back. */
int proc_file_check_gone(struct dump *dump, const struct subject *s, const struct proc_path *p, const char *path);
/* Does it show namespaces, also when the task is gone? */
bool proc_file_outlives(const char *rest);
/* Is there something to be read at @pos, the position of @fd, although the task is gone? Changes nothing. */
int proc_file_waits(int fd, uint64_t pos, bool *ret);
/* Does opening it again give the same as before? */
bool device_is_stateless(dev_t dev);
/* What any other one keeps for its opener, and what helps. */
const char *device_says(const char *path);
/* The dump is complete: says that the names of --link-remap are there for one restore. */
void regular_links_saved(struct dump *dump);
/* The names that --link-remap made are taken away. */
void regular_save_undo(struct dump *dump);
/* Why a file is kept by a ghost image, and how large it may be. */
struct ghost_rule {
	const char *state; /* "was unlinked" */
	const char *option, *give; /* the option of the limit; the same, as a value follows it: "--ghost-limit " */
	uint64_t limit;
};
/* The file itself into a new ghost image. *ret_id is left alone if it is too large (a blocker), or by `criu check`. */
int ghost_keep(struct dump *dump, const struct subject *s, const char *path, const struct ghost_rule *rule,
	       uint32_t *ret_id);
/* What an image says of an inode; @times: room for its two. */
void ghost_head_of(const struct dump *dump, const struct stat *st, GhostFileEntry *head, Timeval times[2]);

/* Does @path itself, not what a link at its end leads to, lead to that inode? */
bool name_leads_to(const struct dump *dump, const struct subject *s, const char *path);
/* --tmpfs-files: a copy of a file that its name leads to, if it lies in a tmpfs. */
int tmpfs_file_save(struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* With --tmpfs-files: another name of a file of a tmpfs that was unlinked as @path, in the same directory; or NULL. */
int tmpfs_other_name(struct dump *dump, const struct subject *s, const char *path, const char **ret);
/* The dump is complete: says what a reboot would lose. */
void tmpfs_files_saved(struct dump *dump);

/* ---- validation ---- */

/* What restore compares: size, build id. */
int regular_note_content(struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* Which file it is. */
void regular_note_identity(const struct dump *dump, const struct subject *s, RegFileEntry *reg);
/* Is what has been opened as @fd what was saved? Logs. */
int regular_check_content(struct restore *r, const RegFileEntry *reg, int fd);

/* ---- restore ---- */

struct ghost {
	struct record record; /* 0, ghost id */
	GhostFileEntry *head; /* in the arena */
	uint64_t size;
	int made_fd; /* --tmpfs-files: what has been made of it; -1: nothing */
};

/* Names to take away, in the order in which they were made. */
struct made {
	char *path;
	const struct audience *to; /* for whom it was made */
	dev_t dev; /* and what: nobody must have put something else there meanwhile */
	ino_t ino;
	bool dir;
};
ARRAY_OF(made_array, struct made);

struct remap {
	struct record record; /* 0, id of the file */
	const RemapFilePathEntry *entry;
	const struct file *file; /* set by link */
	const RegFileEntry *reg; /* of the file; set by link */
	const RegFileEntry *to; /* LINKED: where the other name is */
	struct ghost *ghost; /* GHOST */
	bool of_gone; /* PROCFS: remap_id is the pid of a task that was gone */
	int fd; /* O_PATH, above service_base; set by in_namespaces */
	bool proven; /* it is what was saved for certain: to be opened with our rights */
	bool is_description; /* @fd is the file's own description, not O_PATH */
	struct remap *same_inode; /* the one made before from the same ghost or link */
	struct link_name {
		int dir; /* O_PATH, above service_base; or -errno */
		const struct opener *as; /* with whose rights it is removed */
		dev_t dev; /* of the file that it leads to */
		ino_t ino;
	} link; /* LINKED: where remap->to->name is, to be removed when the tree is complete; set by before_fork */
};

/* A process that has the number of one that was gone (proc_gone.c), until every task is where it belongs. */
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
	struct record_table kept; /* struct kept_file, by file id */
	struct made_array made; /* of those: taken away when the restore fails */
};

struct inherited {
	struct record record;
	const struct inherit_fd *given;
	int fd; /* above service_base; set by in_namespaces */
};

/* Read and check remap-fpath.img and the ghost files, once. */
int remaps_load(struct restore *r, struct regular_restore **ret_data);
int ghost_load(struct restore *r, struct regular_restore *data, uint32_t id, struct ghost **ret_ghost);
/* The content of a ghost goes to @fd; -1: it is only checked. */
int ghost_content(struct restore *r, const struct ghost *ghost, int fd, uint64_t *ret_size);
/* All that has no name: made, held, without a name again. */
int remaps_make(struct restore *r, struct regular_restore *data);
/* Files of tasks that were gone: check the record; open them; end the processes that stand in for those. */
int proc_gone_link(const struct remap *remap);
int proc_gone_make(struct restore *r, struct regular_restore *data);
int proc_gone_ready(struct restore *r);
void proc_gone_failed(struct restore *r);
/*
 * What is needed to remove the name that --link-remap made while dumping, which @fd is open on: when the tree is complete
 * nothing may fail for want of a descriptor. Leaves with the rights to remove it.
 */
int link_name_hold(struct restore *r, struct remap *remap, int fd);
/* Those names have done their work. */
void remaps_committed(struct restore *r);

/* What remaps.c and tmpfs_make.c do alike: made.c. The last component of @path to @ret_name, the rest stays in @path. */
int split_path(char *path, char ret_name[NAME_MAX + 1]);
/* What was made under @name a moment ago, by this thread; somebody who owns the directory may have replaced it. */
int open_made(int dir, const char *name, mode_t type);
/* Nobody has noted this name yet. @err -EAGAIN: somebody else has put something there, which is not ours to remove. */
void unmake(int dir, const char *name, bool is_dir, int err);
int note_made(struct made_array *made, const struct audience *to, const char *path, int fd);
/* Each name that still leads to what was made. */
int take_names_away(struct restore *r, struct made_array *made);
/* Owner, mode and times, by the descriptor; leaves with our own rights. */
int set_attributes(struct restore *r, const GhostFileEntry *head, int fd, const char *name);
int set_times(const GhostFileEntry *head, int fd, const char *name);

/* --tmpfs-files */
int tmpfs_file_load(struct restore *r, struct regular_restore *data, const struct file *file);
/* Makes those that are missing. */
int tmpfs_files_make(struct restore *r, struct regular_restore *data);
void tmpfs_files_committed(struct restore *r);
void tmpfs_files_failed(struct restore *r);
