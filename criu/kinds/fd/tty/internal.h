/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of this kind. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include "image/writer.h"
#include "regfile.pb-c.h"
#include "kinds/kinds.h"
#include "run/kind.h"
#include "run/names.h"
#include "tty.pb-c.h"

#define TTY_MAJOR_UNIX98_SLAVE 136 /* all of one kernel's: a million minors */
#define TTY_MAJOR_UNIX98_LAST 143
#define TTY_MAJOR_AUX 5 /* 0: /dev/tty, 1: console, 2: ptmx */

enum tty_role {
	TTY_NONE, /* no terminal */
	TTY_MASTER,
	TTY_SLAVE,
	TTY_OWN, /* /dev/tty */
	TTY_OTHER, /* console, virtual, serial */
};

enum tty_role tty_role_of(dev_t rdev);

/* The kernel's struct termios2. */
#define TTY_NCC 19
struct tty_termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TTY_NCC];
	uint32_t ispeed, ospeed;
};
int tty_get_termios(int fd, struct tty_termios *ret);
int tty_set_termios(int fd, const struct tty_termios *t);

/* The number of the pair behind a master, and behind what any terminal's descriptor stands for (/dev/tty too). */
int tty_index_of_master(int fd, uint32_t *ret_index);
int tty_index_behind(int fd, uint32_t *ret_index);

/* The device behind what any terminal's descriptor stands for. */
int tty_device_behind(int fd, dev_t *ret_dev);

/* As --external and --inherit-fd name a terminal: stat(2)'s numbers. */
#define TTY_KEY_MAX 40
void tty_external_key(dev_t rdev, dev_t dev, char ret_key[static TTY_KEY_MAX]);

#define TTY_PATH_PTMX "/dev/ptmx" /* style: the name by convention */
#define TTY_PATH_OWN "/dev/tty" /* style: the kernel goes by the device, tty(4) */
#define TTY_LARGEFILE 0100000 /* open(2) sets it by itself, and libc hides it */
#define TTY_OPEN_FLAGS (O_ACCMODE | O_NONBLOCK | O_APPEND | O_NOATIME | TTY_LARGEFILE)
int tty_keep(struct restore *r, int fd); /* a descriptor of ours, above what belongs to tasks: each of them has it */

/* ---- unread bytes: data.c */

#define TTY_BYTES_MAX 65536
#define TTY_EOFS_MAX 4096
struct tty_bytes {
	uint32_t len, nr_eof;
	uint32_t eof_at[TTY_EOFS_MAX]; /* offsets at which an end of file was typed */
	uint8_t data[TTY_BYTES_MAX];
};

enum tty_stopped { /* as in images */
		   TTY_NOT_STOPPED,
		   TTY_STOPPED_BY_KEY,
		   TTY_STOPPED_BY_CALL,
};

/* What is in a pair. */
struct guard;

struct tty_content {
	int err;
	bool packet; /* packet mode, and what waits to be told the master: TIOCPKT_... */
	uint8_t packet_status;
	enum tty_stopped stopped;
	struct tty_bytes typed, shown; /* for the slave's reader, for the master's */
};

/*
 * The content of a pair that nobody uses at the moment, copied: a process of its own takes it out and puts it back, so
 * that it is not lost when this one is killed meanwhile. @slave is -1 when nobody has it. *ret_content is NULL if there
 * cannot be anything; else tty_content_free(). -EPERM when there may be something, but no right to put it back.
 */
/* @guard: of the dump, that keeps the tree where it is meanwhile. */
int tty_copy_content(int master, int slave, struct guard *guard, struct tty_content **ret_content);
void tty_content_free(struct tty_content *content);
/* Into a new pair that has these settings. */
int tty_fill_pair(int master, int slave, const struct tty_content *content, const struct tty_termios *termios);

/* ---- dump: save.c, settle.c, records.c */

struct tty_external_seen;

/* A pair that a descriptor leads to. */
struct tty_seen {
	struct tty_seen *next;
	uint32_t index;
	TtyInfoEntry *master, *slave, *own; /* own: /dev/tty stands for it */
	TtyInfoEntry *hung; /* slaves that were hung up: the master is gone, or vhangup(2) */
	dev_t instance; /* of devpts; 0: not known */
	int master_fd, slave_fd; /* ours, to read from; -1: none */
	struct dump_task *task; /* who has the slave, and as what: for messages */
	int fd;
};

struct tty_dump {
	struct tty_seen *seen;
	struct tty_external_seen *externals;
	bool has_outside;
};
struct tty_dump *tty_dump_of(struct dump *dump); /* NULL: no memory */

#define TTY_INFO_HUNG (1u << 25)

/* As CRIU numbers them: the two ends of a pair side by side. */
static inline uint32_t tty_info_id(uint32_t index, enum tty_role role)
{
	return role == TTY_OWN ? 1u << 24 | index : index << 1 | (role == TTY_MASTER);
}

bool tty_claims(const struct fd_probe *probe);
int tty_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
int tty_save_end(struct dump *dump);
void tty_save_undo(struct dump *dump);
int tty_save_termios(struct dump *dump, const struct tty_termios *t, TermiosEntry **ret_entry);
int tty_save_winsize(struct dump *dump, int fd, WinsizeEntry **ret_entry);
/* The path of the device, for CRIU and for a devpts of its own: a deleted one has none. */
int tty_save_path(struct dump *dump, const struct fd_probe *probe, TtyFileEntry *tty);
/* Session and foreground group of the terminal with the device @behind, as the tasks that have it for theirs say. */
void tty_find_session(struct dump *dump, dev_t behind, TtyInfoEntry *info);
int tty_write(struct dump *dump, enum image_type type, const ProtobufCMessage *msg);

/* ---- terminals that are no pairs of the tree: external_save.c, external.c */

bool tty_external_claims(const struct dump *dump, const struct fd_probe *probe);
bool tty_external_has_session(const struct tty_external_seen *all, uint32_t sid);
int tty_external_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
/* Is the terminal with the device @behind given with --external? */
bool tty_external_is_given(const struct dump *dump, dev_t behind);

/* ---- restore: load.c, open.c, session.c, restored.c */

/* A slave that was hung up while its terminal lives on. */
struct tty_hung {
	struct tty_hung *next; /* of the pair */
	uint32_t flags;
	int fd; /* ours, above service_base; -1: none */
};

struct tty_pair {
	uint32_t index;
	TtyInfoEntry *master, *slave;
	TtyInfoEntry *hung_info;
	struct tty_hung *hung;
	TtyDataEntry *master_data, *slave_data;
	struct file *master_file; /* a task has it */
	bool has_slave_file;
	const char *ptmx; /* path of the device to open for it */
	/* As tty_make_terminals() has made it: our own descriptors, -1: none. */
	int master_fd, slave_fd;
};

/* Not one of the tree's own: handed over, or opened by its name. */
struct tty_external {
	const TtyInfoEntry *info;
	const struct inherit_fd *given; /* NULL: by its name */
	const char *path;
	const RegFileEntry *reg; /* which file that is; NULL with @given */
	int fd; /* ours, above service_base; -1: none */
	bool taken; /* by the session that this task leads */
	bool changed; /* its settings; they were: */
	struct tty_termios before;
};

struct tty_restore {
	struct tty_pair *pairs;
	size_t nr_pairs;
	struct tty_external *externals;
	size_t nr_externals;
	struct tty_pair *own; /* with --shell-job: the one that is the person's terminal now */
	TtyInfoEntry **infos;
	size_t nr_infos;
	TtyDataEntry **data;
	size_t nr_data;
	int terminal_fd; /* of the person, ours; -1: none */
	pid_t group_before;
	struct tty_termios before;
};

struct tty_state {
	struct tty_pair *pair; /* NULL for /dev/tty without a session in the tree */
	const TtyInfoEntry *info;
	enum tty_role role;
	struct tty_external *external; /* instead of a pair */
	struct tty_hung *hung; /* one of the pair's */
};

/* Loads, links and opens what belongs to a file; opens and settles all that sessions need; takes it back. */
int tty_external_check(const TtyInfoEntry *info);
int tty_external_load(struct restore *r, const struct file *file, struct tty_state *ts);
int tty_external_link(struct restore *r, const struct file *file, struct tty_external *external);
int tty_external_open(struct restore *r, const struct tty_external *external, uint32_t flags);
int tty_externals_in_namespaces(struct restore *r);
int tty_externals_ready(struct restore *r);
void tty_externals_failed(struct restore *r);
/* Without being stopped for it: whoever does this may be in the background. */
int tty_unstopped(int fd, int (*act)(int fd, const void *arg), const void *arg);
int tty_act_settings(int fd, const void *termios);
struct tty_external *tty_external_of_session(struct tty_restore *all, uint32_t sid);

struct tty_restore *tty_restore_of(struct restore *r);
int tty_load(struct restore *r, struct file *file, void *state);
int tty_link(struct restore *r, struct file *file, void *state);
int tty_open(struct restore *r, struct file *file, const void *state);
int tty_finish(struct restore *r, struct file *file, const void *state, int fd);
/*
 * Terminals exist before the tasks do, since a task gets its controlling terminal from the one that forks it: the tool
 * makes every pair under its old number with its settings and unread bytes, and finds the terminal of the person
 * (--shell-job). Our descriptors of them lie above service_base and are inherited by every task.
 */
int tty_in_namespaces(struct restore *r);
int tty_ready(struct restore *r);
void tty_committed(struct restore *r);
void tty_running(struct restore *r);
void tty_failed(struct restore *r);
/* A leader of a session takes its terminal before it forks; sets the foreground group when every group exists. */
int terminal_session(struct restore *r, struct restore_task *task);
int terminal_apply(struct restore *r, struct restore_task *task);
/* The pair is the person's terminal, not one of the tree: its master was not in it, and it was alive. */
bool tty_pair_is_outside(const struct tty_pair *pair);
int tty_termios_load(const TermiosEntry *entry, struct tty_termios *ret);
