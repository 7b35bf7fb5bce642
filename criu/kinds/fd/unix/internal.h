/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unix sockets. Those that belong together (connected, waiting, of one name) are a group: one process makes them all,
 * so that nobody waits for anybody, and gives the others theirs.
 */
#pragma once
#include <sys/socket.h>
#include <sys/un.h>
#include "base/bits.h"
#include "kmem/pending.h"
#include "netlink/unix_diag.h"
#include "kinds/fd/record_table.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "sk-packet.pb-c.h"
#include "sk-unix.pb-c.h"
#include "util/log.h"

#define UNIX_ESTABLISHED 1u
#define UNIX_CLOSE 7u
#define UNIX_LISTEN 10u
#define UNIX_EXTERNAL 1u /* uflags: not ours, only named to be connected to */
#define UNIX_NAME_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define UNIX_CREDENTIALS 2u /* scm_entry.type; SCM_RIGHTS is 1 */

/* ---- dump ---- */

struct unix_seen {
	struct record record; /* 0, inode */
	const struct unix_diag *diag;
	UnixSkEntry *entry;
	struct dump_task *task;
	int fd;
	struct pending_connections waiting; /* what was sent to a listening socket, once it is needed */
	int unreadable; /* -errno: why it is not known */
};

struct unix_dump {
	struct record_table seen;
	struct pending_reader *pending; /* NULL: not needed yet, or impossible */
	int no_pending;
	uint32_t invented; /* the last inode of one that is gone */
	struct record_table tables; /* of network namespaces: 0 (our own) or their inodes */
};

/* What the kernel tells about all sockets of the namespace that @local is in, and about this one. */
int unix_diag_of(struct dump *dump, const struct fd_probe *probe, const struct unix_diags **ret_all,
		 const struct unix_diag **ret_diag);
/* Of a socket of any network namespace that has been read; NULL: of none. */
const struct unix_diag *unix_diag_by_inode(const struct unix_dump *data, uint32_t ino);
void unix_diags_free(struct unix_dump *data);
/* name, name_dir, deleted, moved_to, file_perms */
int unix_save_name(struct dump *dump, const struct fd_probe *probe, const struct unix_diag *diag, UnixSkEntry *entry);
/* What waits to be read. */
int unix_save_queue(struct dump *dump, const struct fd_probe *probe, const UnixSkEntry *entry);
/* What has been sent to a listening socket by those that it has not accepted; writes nothing yet. */
int unix_read_waiting(struct dump *dump, const struct fd_probe *probe);
/* Whoever waits at @seen: with what they have sent; blockers. */
int unix_save_waiting(struct dump *dump, const struct unix_seen *seen);
int unix_save_end(struct dump *dump);
/* For messages. */
const char *unix_name_text(struct dump *dump, const struct unix_diag *diag);

/* ---- restore ---- */

struct unix_packet {
	struct unix_packet *next;
	const SkPacketEntry *entry;
	const void *bytes;
};

struct unix_queue {
	struct record record; /* 0, file id */
	struct unix_packet *first, **last;
	size_t nr;
	uint64_t bytes;
};

struct unix_group;
struct unix_sock {
	struct record record; /* 0, inode */
	struct file *file;
	const UnixSkEntry *entry;
	struct unix_group *group;
	struct unix_sock *in_group; /* the next one */
	struct unix_sock *peer; /* that it is connected to, or waits at */
	const char *key; /* what its name leads to, NULL: none */
	size_t key_len;
	const struct unix_queue *queue; /* NULL: empty */
	const struct inherit_fd *given;
	bool inherits_name; /* accepted: the name is the listening socket's */
	/* while the group is made, in the process that makes it */
	int fd;
	int keeper; /* the other end of one whose peer is none of ours, -1: none */
	bool connected, filled;
};

struct unix_group {
	struct unix_group *next; /* to be finished by this process */
	struct unix_sock *first, *last;
	size_t nr;
	struct file *maker;
	struct unix_opens { /* files in flight that no task has: this group's maker opens them */
		struct unix_opens *next;
		struct file *file;
	} * opens;
	bool in_flight; /* descriptors wait in queues: filled when all of them are there */
	bool filled;
};

struct unix_restore {
	bool loaded, linked;
	struct record_table socks; /* by inode */
	struct record_table queues; /* by file id */
	struct record_table names; /* by hash: a socket of that name */
	struct record_table bound; /* the same, by the name as it was bound: of datagram sockets */
	struct hash opened_by; /* file in flight -> group */
	struct unix_group *unfinished; /* of this process */
};

struct unix_state {
	struct unix_sock *sock;
};

struct unix_restore *unix_restore_data(struct restore *r);
int unix_load(struct restore *r, struct file *file, void *state);
int unix_link(struct restore *r, struct file *file, void *state);

static inline bool unix_is_external(const struct unix_sock *sock)
{
	return sock->entry->uflags & UNIX_EXTERNAL;
}

static inline bool unix_same_name(const struct unix_sock *a, const struct unix_sock *b)
{
	return a->key && b->key && a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len);
}

/* Connected to each other; one that waits at a listening socket is not. */
static inline bool unix_is_pair(const struct unix_sock *sock)
{
	return sock->peer && sock->peer->peer == sock;
}

/* Connected to one that listens, which has not accepted it: its queue is what it has sent. */
static inline bool unix_is_waiting(const struct unix_sock *sock)
{
	return sock->entry->type != SOCK_DGRAM && sock->peer && sock->peer->entry->state == UNIX_LISTEN &&
	       !unix_is_external(sock->peer);
}

static inline bool unix_has_path(const struct unix_sock *sock)
{
	return sock->entry->name.len && sock->entry->name.data[0];
}

/* Bind @fd to the name of @sock where it was, or, @hidden, where nobody sees the file: it can only be reached by
 * unix_connect(). Owner, mode and place of the file as in the image. */
int unix_bind(struct restore *r, const struct unix_sock *sock, int fd, bool hidden);
/* How to reach what @to is bound to, as long as .file is open (the caller closes it); @name is the name of @to. */
struct unix_target {
	struct sockaddr_un addr;
	socklen_t len; /* 0: nowhere */
	int file;
};
int unix_find_target(int to, const ProtobufCBinaryData *name, struct unix_target *ret_target);
/* Connect @fd to what @to is bound to, whatever became of the file; @name is the name of @to; with the rights of @as. */
int unix_connect(int fd, int to, const ProtobufCBinaryData *name, const struct unix_sock *as);
/* To somebody that is not ours, by name. */
int unix_connect_external(struct restore *r, const struct unix_sock *sock, int fd, const struct unix_sock *as);
/* For the time of a call others learn our rights from (SO_PEERCRED): those of the task that has the socket. */
int unix_become_owner(const struct unix_sock *sock);
void unix_become_self(void);

/* @other, connected with @fd, leaves it: ECONNRESET waits there then. */
void unix_leave_with_error(int fd, int other);
int unix_make_group(struct restore *r, struct unix_group *group);
/* What waited in @sock; once. */
int unix_fill_queue(struct restore *r, struct unix_sock *sock);
/* Queues, options, what has been shut down; closes what is not needed any more. */
int unix_fill_group(struct restore *r, struct unix_group *group);
