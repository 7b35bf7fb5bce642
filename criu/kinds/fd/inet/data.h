/* SPDX-License-Identifier: GPL-2.0-only */
/* Per-run state of all internet sockets. */
#pragma once
#include <netinet/tcp.h>
#include <sys/uio.h>
#include "kernel/boot_id.h"
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/keeper.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "tcp-stream.pb-c.h"
#include "util/log.h"

struct sock_memory_reader;

/* Whether sockets of this type and protocol exist; an entry with any other combination is invalid. */
bool inet_protocol_is_valid(uint32_t type, uint32_t protocol);
/* Multipath TCP (RFC 8684) counts as TCP. */
bool inet_is_tcp(const InetSkEntry *entry);
bool inet_is_mptcp(const InetSkEntry *entry);
void inet_set_shutdown(InetSkEntry *entry, unsigned how);

/* ---- dump ---- */

/* A socket with queued data. They are collected first, then locked by one transaction, then read. */
struct inet_held {
	struct inet_held *next;
	InetSkEntry *entry;
	struct dump_task *task; /* for messages */
	int fd; /* descriptor number in @task */
	int local; /* our own copy */
	enum keeper_what what;
	uint32_t bytes; /* number of queued bytes; datagrams: the memory that they occupy */
	union inet_address src, dst; /* of a connection */
	uint32_t unsent;
	bool unaccepted; /* a client in the tree, not accepted yet: it connects again (backlog.c) */
	char *sent; /* what is queued at the other end, from the first byte on */
	size_t sent_len;
};

/* A listening socket that has connections to accept, or whose tree ends with the dump. */
struct inet_listener {
	struct inet_listener *next;
	InetSkEntry *entry;
	struct dump_task *task;
	int fd, local; /* number in @task; our own copy, -1 for a check */
	const char *link;
	uint32_t waiting;
	bool left_out; /* the user wants the unaccepted connections left out */
};

/* A tcp-stream image, ready to be written. */
struct inet_stream_image {
	struct inet_stream_image *next;
	uint32_t ino;
	TcpStreamEntry entry;
	struct iovec payload[3];
};

/* Of a dump: the sockets of one network namespace. */
struct inet_dump {
	struct inet_dump *next;
	const struct ns *network; /* NULL: the tool's own */
	struct inet_held *first, **end;
	size_t nr, nr_streams;
	struct inet_listener *listeners;
	size_t nr_listeners;
	struct keeper *keeper; /* NULL: not needed, or no longer */
	struct inet_stream_image *deferred; /* written after the tree has been thawed */
	struct inet_fresh *fresh; /* options_save.c: new sockets to compare with */
	struct inet_listing *listings; /* state.c */
	struct sock_memory_reader *memory; /* NULL: not needed yet, or not available */
	int no_memory; /* -errno: why it is not available */
	struct nl_sock *diag; /* tcp_keys.c: for sock_diag; NULL: not needed yet */
	union inet_address checked_address; /* save.c: the last address checked */
	bool checked_is_foreign; /* this host does not have it */
	struct nl_sock *lock; /* owner of the lock's table; NULL: none */
	bool persistent; /* a table that outlives us has been created */
	char table[32], boot_id[BOOT_ID_LEN + 1]; /* of the lock */
};

/* kind_data of a dump */
struct inet_networks {
	struct inet_dump *first, **end;
};

/* Those of all namespaces; NULL: there are no sockets. */
struct inet_networks *inet_networks(const struct dump *dump);
/* Does that namespace exist after the tree? */
bool inet_network_remains(const struct inet_dump *data);
/* Of the namespace that the tool acts in now. NULL: out of memory. */
struct inet_dump *inet_dump_data(struct dump *dump);
bool inet_tree_ends(const struct dump *dump);
/* To be read in save_end. NULL: an error, already logged. */
struct inet_held *inet_hold(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, enum keeper_what what);

/* ---- restore ---- */

struct inet_socket {
	struct file *file;
	struct inet_socket *next; /* list in inet_restore */
	const InetSkEntry *entry;
	const TcpStreamEntry *stream; /* a connection to be restored */
	const void *inq, *outq;
	bool close; /* a connection to be closed */
	bool unaccepted; /* a client that connects again and is not accepted yet */
	bool peer_is_inside; /* of a connection, known with --tcp-address: its other end is in the images, too */
	struct inet_socket **waiting; /* of a listening socket, as many as its entry has; NULL: none */
	bool shared_port; /* shared with other sockets of the images: SO_REUSEADDR while they are created */
};

/* The lock of one network namespace. */
struct inet_lock {
	struct inet_lock *next;
	const struct ns *network;
	struct nl_sock *owner; /* of our table */
	char table[32];
};

/* kind_data of a restore */
struct inet_restore {
	struct inet_socket *first, **end;
	struct hash ports; /* port, protocol and namespace -> the first struct inet_socket with them */
	struct inet_lock *locks;
	bool connected; /* some socket has a stream */
};

/* NULL: out of memory. */
struct inet_restore *inet_restore_data(struct restore *r);
