/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this kind. */
#pragma once
#include "eventpoll.pb-c.h"
#include "kernel/fdinfo.h"
#include "run/dump.h"
#include "run/kind.h"
#include "run/restore.h"

/* ---- dump ---- */

int eventpoll_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry); /* save.c */
int eventpoll_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry); /* watches.c */

struct eventpoll_watch {
	const struct fd_probe *probe; /* the epoll */
	const struct fdinfo_item *item;
	uint32_t nth; /* index among those under the same number */
};
/* Which task has the watched file? *ret_at is NULL if none has. target.c */
int eventpoll_find_target(struct dump *dump, const struct eventpoll_watch *watch, const struct fd_probe **ret_at);

/* ---- busy_poll.c: how epoll_wait(2) polls network devices ---- */

void eventpoll_save_busy_poll(int fd, EventpollFileEntry *epfd);
void eventpoll_set_busy_poll(int fd, const EventpollFileEntry *epfd);

/* ---- restore ---- */

struct eventpoll_state {
	struct file **targets; /* of each watch */
};
/* The file that @task has under that number, NULL: none. load.c */
struct file *eventpoll_file_at(const struct restore_task *task, int fd);
int eventpoll_load(struct restore *r, struct file *file, void *state);
int eventpoll_link(struct restore *r, struct file *file, void *state);

/* An epoll being filled with its watches. */
struct eventpoll_made {
	struct restore *r;
	const EventpollFileEntry *entry;
	struct file *const *targets;
	int fd;
};
/* epoll_ctl(2) for watch @i, whatever is open under its number by now. control.c */
int eventpoll_ctl(const struct eventpoll_made *made, int op, size_t i, uint32_t events);
/* Adds all watches. fill.c */
int eventpoll_finish(struct restore *r, struct file *file, const void *state, int fd);
