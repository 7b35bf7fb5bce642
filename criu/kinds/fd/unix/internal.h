/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unix sockets. Sockets that depend on each other (connected, pending, same name) form a group: one process creates all
 * of them, so that processes need not wait for each other, and passes them on.
 */
#pragma once
#include <sys/socket.h>
#include <sys/un.h>
#include "base/bits.h"
#include "kmem/pending.h"
#include "netlink/unix_diag.h"
#include "kinds/fd/record_table.h"
#include "kinds/kinds.h"
#include "run/caps.h"
#include "run/dump.h"
#include "run/restore.h"
#include "sk-packet.pb-c.h"
#include "sk-unix.pb-c.h"
#include "util/log.h"

#define UNIX_ESTABLISHED 1u
#define UNIX_CLOSE 7u
#define UNIX_LISTEN 10u
#define UNIX_EXTERNAL 1u /* uflags: outside the tree, only a name to connect to */
#define UNIX_SERVICE 2u /* two flags of CRIU for a connection to the service that makes the dump */
#define UNIX_CALLBACK 4u
#define UNIX_INHERITED 8u
#define UNIX_NAME_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define UNIX_CREDENTIALS 2u /* scm_entry.type; SCM_RIGHTS is 1 */

/* ---- dump ---- */

struct unix_seen {
	struct record record; /* 0, inode */
	const struct unix_diag *diag;
	UnixSkEntry *entry;
	struct dump_task *task;
	int fd;
	struct pending_connections pending; /* with what the clients have sent; read when needed */
	int unreadable; /* -errno: why they cannot be read */
};

struct unix_dump {
	struct record_table seen;
	struct pending_reader *pending_reader; /* NULL: not needed yet, or not available */
	int no_pending_reader;
	uint32_t invented_inode; /* the last inode number invented for a closed client */
	struct record_table tables; /* one per network namespace: 0, its id */
};

/* All sockets of the network namespace of @local, and this one. 1: a blocker has been added. */
int unix_diag_of(struct dump *dump, const struct fd_probe *probe, const struct unix_diags **ret_all,
		 const struct unix_diag **ret_diag);
/* The id of that namespace. */
uint32_t unix_network_of(const struct unix_diags *all);
/* A socket in any of the network namespaces read so far; NULL: not found. */
const struct unix_diag *unix_diag_by_inode(const struct unix_dump *data, uint32_t ino);
void unix_diags_free(struct unix_dump *data);
/* name, name_dir, deleted, moved_to, file_perms */
int unix_save_name(struct dump *dump, const struct fd_probe *probe, const struct unix_diag *diag, UnixSkEntry *entry);
/* Unread data. */
int unix_save_queue(struct dump *dump, const struct fd_probe *probe, const UnixSkEntry *entry);
/* Reads what a listening socket's unaccepted clients have sent; writes nothing yet. */
int unix_read_pending(struct dump *dump, const struct fd_probe *probe);
/* Unaccepted clients of @seen, with what they have sent; blockers. */
int unix_save_pending(struct dump *dump, const struct unix_seen *seen);
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
	struct unix_sock *in_group; /* next in the group */
	struct unix_sock *peer; /* the socket that it is connected to, or whose accept queue it is in */
	const char *key; /* the file or abstract name that its name refers to, NULL: none */
	size_t key_len;
	const struct unix_queue *queue; /* NULL: empty */
	const struct inherit_fd *inherited;
	bool inherits_name; /* accepted: it has the listening socket's name */
	/* valid while the group is created, in the process that does so */
	int fd;
	int placeholder; /* the other end, if the real peer is not in the images; -1: none */
	bool connected, filled;
};

struct unix_group {
	struct unix_group *next; /* to be finished by this process */
	struct unix_sock *first, *last;
	size_t nr;
	struct file *maker;
	struct unix_opens { /* files in flight that no task has open: the group's maker opens them */
		struct unix_opens *next;
		struct file *file;
	} * opens;
	bool in_flight; /* there are descriptors in queues: filled when all of them exist */
	bool filled;
};

struct unix_restore {
	bool loaded, linked;
	struct record_table socks; /* by inode */
	struct record_table queues; /* by file id */
	struct record_table names; /* by hash: a socket of that name */
	struct record_table bound; /* the same for datagram sockets, by the name passed to bind(2) */
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

static inline bool unix_has_path(const struct unix_sock *sock)
{
	return sock->entry->name.len && sock->entry->name.data[0];
}

/* Connected to the service that made the dump, which it has asked for. */
static inline bool unix_is_rpc_client(const struct unix_sock *sock)
{
	return sock->entry->uflags & (UNIX_SERVICE | UNIX_CALLBACK);
}

/* Abstract names belong to a network namespace. */
static inline bool unix_same_name(const struct unix_sock *a, const struct unix_sock *b)
{
	return a->key && b->key && (unix_has_path(a) || a->file->network == b->file->network) &&
	       a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len);
}

/* Connected to each other; an unaccepted client is not. */
static inline bool unix_is_pair(const struct unix_sock *sock)
{
	return sock->peer && sock->peer->peer == sock;
}

/* Connected to a listening socket that has not accepted it: its queue is what it has sent. */
static inline bool unix_is_pending(const struct unix_sock *sock)
{
	return sock->entry->type != SOCK_DGRAM && sock->peer && sock->peer->entry->state == UNIX_LISTEN &&
	       !unix_is_external(sock->peer);
}

/* The bound inode as an O_PATH descriptor. Not in unix(7) */
#define SIOCUNIXFILE_ 0x89e0

/* connect.c */
socklen_t unix_fill_address(const ProtobufCBinaryData *name, struct sockaddr_un *ret_addr);
/*
 * Binds @fd to the name of @sock: at the original path, or, if @hidden, in a file system of its own, where it can only
 * be reached by unix_connect(). Restores owner, mode and current path of the file.
 */
int unix_bind(struct restore *r, const struct unix_sock *sock, int fd, bool hidden);
/*
 * How to reach the file that @to is bound to. Valid while .file is open (the caller closes it); @named has the name of
 * @to.
 */
struct unix_target {
	struct sockaddr_un addr;
	socklen_t len; /* 0: not reachable */
	int file;
};
int unix_find_target(struct restore *r, int to, const struct unix_sock *named, struct unix_target *ret_target);
/*
 * Connects @fd to the file that @to is bound to, even if it was renamed or removed (this takes CAP_NET_ADMIN); @named has
 * the name of @to; with the rights of @as.
 */
int unix_connect(struct restore *r, int fd, int to, const struct unix_sock *named, const struct unix_sock *as);
/* Connects to a socket outside the tree, by name. */
int unix_connect_external(struct restore *r, const struct unix_sock *sock, int fd, const struct unix_sock *as);
/* identity.c. For the duration of a call that records our credentials (SO_PEERCRED): use those of the task that has the socket. */
struct unix_self {
	bool changed;
	uid_t euid;
	gid_t egid;
	int dumpable, death_signal;
	struct caps caps;
};
/* @ret_self is set even on failure, for unix_become_self(). */
int unix_become_owner(const struct unix_sock *sock, struct unix_self *ret_self);
void unix_become_self(const struct unix_self *self);

/* Closes @other, the peer of @fd, so that @fd gets ECONNRESET. */
void unix_close_with_error(int fd, int other);
/* socket(2) of the type of @sock, in its network namespace: a descriptor, or a negative errno, not logged. */
int unix_new_socket(struct restore *r, const struct unix_sock *sock);
/* socketpair(2), the same way; errors are logged. */
int unix_new_pair(struct restore *r, const struct unix_sock *sock, int fds[2]);
int unix_make_group(struct restore *r, struct unix_group *group);
/* The unread data of @sock; once. */
int unix_fill_queue(struct restore *r, struct unix_sock *sock);
/* If it is the client of an RPC: the response to a dump, as its copy gets it. */
int unix_answer_client(const struct unix_sock *sock);
/* Queues, options, shutdown state; closes what is not needed any more. */
int unix_fill_group(struct restore *r, struct unix_group *group);

/* describe.c */
void unix_describe(const FileEntry *entry, struct description *d);

/* Is @path, in the directory @dir, free, or the name of a socket that nobody has any more? Logs why not. bind.c */
int unix_check_stale(int dir, const char *path);
/* check.c */
int unix_check(struct restore *r, struct file *file, const void *state);
