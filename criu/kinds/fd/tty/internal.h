/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of this kind. */
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

#define TTY_MAJOR_UNIX98_SLAVE 136 /* all devices of one kernel: a million minors */
#define TTY_MAJOR_UNIX98_LAST 143
#define TTY_MAJOR_AUX 5 /* 0: /dev/tty, 1: console, 2: ptmx */

enum tty_role {
	TTY_NONE, /* not a terminal */
	TTY_MASTER,
	TTY_SLAVE,
	TTY_OWN, /* /dev/tty */
	TTY_OTHER, /* console, virtual terminal, serial line */
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

/* The index of the pair, from a master, or from any descriptor of a terminal (/dev/tty too). */
int tty_index_of_master(int fd, uint32_t *ret_index);
int tty_index_behind(int fd, uint32_t *ret_index);

/* The device behind any descriptor of a terminal. */
int tty_device_behind(int fd, dev_t *ret_dev);

/* The name of a terminal for --external and --inherit-fd: the numbers from stat(2). */
#define TTY_KEY_MAX 40
void tty_external_key(dev_t rdev, dev_t dev, char ret_key[static TTY_KEY_MAX]);

#define TTY_PATH_PTMX "/dev/ptmx" /* style: the name by convention */
#define TTY_PATH_OWN "/dev/tty" /* style: the kernel goes by the device, tty(4) */
#define TTY_LARGEFILE 0100000 /* open(2) sets it, and libc hides it */
#define TTY_OPEN_FLAGS (O_ACCMODE | O_NONBLOCK | O_APPEND | O_NOATIME | TTY_LARGEFILE)
int tty_keep_fd(struct restore *r, int fd); /* keeps a descriptor above those of tasks; every task inherits it */

/* ---- unread data: data.c */

#define TTY_BYTES_MAX 65536
#define TTY_EOFS_MAX 4096
struct tty_bytes {
	uint32_t len, nr_eof;
	uint32_t eof_at[TTY_EOFS_MAX]; /* offsets at which an end-of-file character was typed */
	uint8_t data[TTY_BYTES_MAX];
};

enum tty_stopped { /* values are those of images */
		   TTY_NOT_STOPPED,
		   TTY_STOPPED_BY_KEY,
		   TTY_STOPPED_BY_CALL,
};

/* The content of a pair. */
struct guard;

struct tty_content {
	int err;
	bool packet; /* packet mode, and the unread status byte of the master: TIOCPKT_... */
	uint8_t packet_status;
	enum tty_stopped stopped;
	struct tty_bytes input, output; /* input of the slave's reader, and of the master's */
};

/*
 * Copies the content of a pair that no process uses at the moment: a helper process reads it and puts it back, so that
 * it is not lost if this one is killed meanwhile. @slave is -1 if no task has it. *ret_content is NULL if there cannot
 * be any; otherwise tty_content_free() it.
 */
/* @guard: of the dump; it keeps the tree frozen meanwhile. */
int tty_copy_content(int master, int slave, struct guard *guard, struct tty_content **ret_content);
void tty_content_free(struct tty_content *content);
/* Fills a new pair that has these settings. */
int tty_fill_pair(int master, int slave, const struct tty_content *content, const struct tty_termios *termios);

/* TIOCSTI: depends on sysctl dev.tty.legacy_tiocsti and CAP_SYS_ADMIN. */
bool tty_may_inject(void);
/* The program must not be left with our settings: tries a second time if it fails. */
int tty_reset_settings(int fd, const struct tty_termios *t);

/* ---- packet mode and stopped output: flow.c */

/* Does not wait for ever: there should be enough space. A worker of the kernel moves what is written. */
int tty_write_bounded(int fd, const uint8_t *data, uint32_t len);
/* This clears the status byte that the master has not read; it is saved. */
void tty_leave_packet_mode(int master, struct tty_content *content);
/* Also raises the bits of @status that flush buffers: the buffers must still be empty. */
int tty_enter_packet_mode(int master, int slave, uint8_t status);
/*
 * The other status bits: changing the settings to and fro makes the kernel raise them. TIOCPKT_START matters little and
 * is left out.
 */
int tty_raise_status(int master, uint8_t status, const struct tty_termios *t);
/* After all output has been read, a terminal that cannot be written to has been stopped: by tcflow(3) or by a key. */
bool tty_accepts_output(int slave);
/* Resumes output, so that the terminal can be written to; returns what had stopped it. */
enum tty_stopped tty_resume_output(int slave, const struct tty_termios *was);
int tty_stop_output(int master, int slave, enum tty_stopped how, const struct tty_termios *t);
/* Writes it to the master, and waits until output has been stopped, or resumed. -ENOBUFS: unread input is in its way. */
int tty_type_flow_key(int master, int slave, uint8_t key, bool stops);

/* ---- dump: save.c, save_end.c, records.c */

struct tty_external_seen;

/* A pair that has a descriptor in the tree. */
struct tty_seen {
	struct tty_seen *next;
	uint32_t index;
	TtyInfoEntry *master, *slave, *own; /* own: seen as /dev/tty */
	TtyInfoEntry *hung; /* slaves that were hung up: the master is gone, or vhangup(2) */
	dev_t instance; /* device of the devpts; 0: unknown */
	int master_fd, slave_fd; /* our copies, to read from; -1: none */
	struct dump_task *task; /* the task and descriptor of the slave, for messages */
	int fd;
};

struct tty_dump {
	struct tty_seen *seen;
	struct tty_external_seen *externals;
	bool has_users_terminal;
};
struct tty_dump *tty_dump_of(struct dump *dump); /* NULL: out of memory */

#define TTY_INFO_HUNG (1u << 25)

/* CRIU's numbering: both ends of a pair side by side. */
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
/* The path of the device, for CRIU and for a separate devpts; none if it was removed. */
int tty_save_path(struct dump *dump, const struct fd_probe *probe, TtyFileEntry *tty);
/*
 * Session and foreground group of the terminal with the device @behind, according to the tasks whose controlling
 * terminal it is.
 */
void tty_find_session(struct dump *dump, dev_t behind, TtyInfoEntry *info);
int tty_write(struct dump *dump, enum image_type type, const ProtobufCMessage *msg);

/* ---- terminals other than pairs of the tree: external_save.c, external.c */

bool tty_external_claims(const struct dump *dump, const struct fd_probe *probe);
bool tty_external_has_session(const struct tty_external_seen *all, uint32_t sid);
int tty_external_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
/* Whether the terminal with the device @behind is given with --external. */
bool tty_external_is_given(const struct dump *dump, dev_t behind);

/* ---- restore: load.c, open.c, session.c, restored.c */

/* A slave that was hung up while its terminal is still in use. */
struct tty_hung {
	struct tty_hung *next; /* of the same pair */
	uint32_t flags;
	int fd; /* ours, above service_base; -1: none */
};

struct tty_pair {
	uint32_t index;
	TtyInfoEntry *master, *slave;
	TtyInfoEntry *hung_info;
	struct tty_hung *hung;
	TtyDataEntry *master_data, *slave_data;
	struct file *master_file; /* the file of the master, if a task has it */
	bool has_slave_file;
	bool other_master; /* the client gets the master: options.orphan_pts_master */
	const char *ptmx; /* path of the ptmx device to open */
	/* Our own descriptors, set by tty_in_namespaces(); -1: none. */
	int master_fd, slave_fd;
};

/* Not one of the tree's pairs: passed in, or opened by name. */
struct tty_external {
	const TtyInfoEntry *info;
	const struct inherit_fd *given; /* NULL: opened by name */
	const char *path;
	const RegFileEntry *reg; /* the file; NULL with @given */
	int fd; /* ours, above service_base; -1: none */
	bool is_controlling; /* it is the controlling terminal of the session that this task leads */
	bool changed; /* its settings have been changed; previous settings: */
	struct tty_termios before;
};

struct tty_restore {
	struct tty_pair *pairs;
	size_t nr_pairs;
	struct tty_external *externals;
	size_t nr_externals;
	struct tty_pair *own; /* with --shell-job: the pair that is replaced by the user's terminal */
	TtyInfoEntry **infos;
	size_t nr_infos;
	TtyDataEntry **data;
	size_t nr_data;
	int terminal_fd; /* the user's terminal, our own descriptor; -1: none */
	pid_t group_before;
	struct tty_termios before;
};

struct tty_state {
	struct tty_pair *pair; /* NULL for /dev/tty of a session outside the tree */
	const TtyInfoEntry *info;
	enum tty_role role;
	struct tty_external *external; /* instead of a pair */
	struct tty_hung *hung; /* one of the pair's */
};

/* Load, link and open files; open terminals needed by sessions, set them up, and undo that. */
int tty_external_check(const TtyInfoEntry *info);
int tty_external_load(struct restore *r, const struct file *file, struct tty_state *ts);
int tty_external_link(struct restore *r, const struct file *file, struct tty_external *external);
int tty_external_open(struct restore *r, const struct tty_external *external, uint32_t flags);
int tty_externals_in_namespaces(struct restore *r);
int tty_externals_ready(struct restore *r);
void tty_externals_failed(struct restore *r);
/* With SIGTTOU blocked: the caller may be in the background. */
int tty_without_sigttou(int fd, int (*act)(int fd, const void *arg), const void *arg);
int tty_call_set_termios(int fd, const void *termios);
struct tty_external *tty_external_of_session(struct tty_restore *all, uint32_t sid);

struct tty_restore *tty_restore_of(struct restore *r);
int tty_load(struct restore *r, struct file *file, void *state);
int tty_link(struct restore *r, struct file *file, void *state);
int tty_open(struct restore *r, struct file *file, const void *state);
int tty_finish(struct restore *r, struct file *file, const void *state, int fd);
/*
 * Terminals are created before the tasks, since a task gets its controlling terminal from its parent: the tool creates
 * every pair under its original index with its settings and unread data, and finds the user's terminal (--shell-job).
 * Our descriptors of them are above service_base, and every task inherits them.
 */
int tty_in_namespaces(struct restore *r);
int tty_before_post_restore(struct restore *r);
int tty_ready(struct restore *r);
void tty_committed(struct restore *r);
void tty_running(struct restore *r);
void tty_failed(struct restore *r);
/* A session leader gets its terminal before it forks; the foreground group is set when all groups exist. */
int terminal_session(struct restore *r, struct restore_task *task);
int terminal_apply(struct restore *r, struct restore_task *task);
/* The pair is the user's terminal, not one of the tree's: its master was not in the tree, and it was not hung up. */
bool tty_pair_is_users(const struct tty_pair *pair);
int tty_termios_load(const TermiosEntry *entry, struct tty_termios *ret);

/* describe.c */
void tty_describe(const FileEntry *entry, struct description *d);
