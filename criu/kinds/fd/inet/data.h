/* SPDX-License-Identifier: GPL-2.0-only */
/* What one run knows of all its internet sockets. */
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

/* Such a socket exists; others have no entry that is valid. */
bool inet_protocol_fits(uint32_t type, uint32_t protocol);
/* Multipath TCP (RFC 8684) is TCP here. */
bool inet_is_tcp(const InetSkEntry *entry);
bool inet_is_mptcp(const InetSkEntry *entry);
void inet_set_shutdown(InetSkEntry *entry, unsigned how);

/* ---- dump ---- */

/* A socket with something in it, kept until all are known: they are locked by one transaction, then read. */
struct inet_held {
	struct inet_held *next;
	InetSkEntry *entry;
	struct dump_task *task; /* whose it is, for messages */
	int fd; /* number there */
	int local; /* our own copy */
	enum keeper_what what;
	uint32_t bytes; /* how much waits; datagrams: the memory that they take */
	union inet_address src, dst; /* of a connection */
	uint32_t unsent;
	bool waits; /* a client of the tree that nobody has accepted: it connects once more (backlog.c) */
	char *sent; /* what waits at the other end, from the first byte on */
	size_t sent_len;
};

/* A listening socket: with connections that nobody has accepted, or of a tree that ends with the dump. */
struct inet_listener {
	struct inet_listener *next;
	InetSkEntry *entry;
	struct dump_task *task;
	int fd, local; /* number there; our own copy, -1 of a tree that runs */
	const char *link;
	uint32_t waiting;
	bool left_out; /* what waits there, by the user's wish */
};

/* A tcp-stream image, ready to be written. */
struct inet_stream_image {
	struct inet_stream_image *next;
	uint32_t ino;
	TcpStreamEntry entry;
	struct iovec payload[3];
};

/* kind_data of a dump */
struct inet_dump {
	struct inet_held *first, **end;
	size_t nr, nr_streams;
	struct inet_listener *listeners;
	size_t nr_listeners;
	struct keeper *keeper; /* NULL: not needed, or no longer */
	struct inet_stream_image *later; /* written when the tree goes on */
	uint64_t network; /* cookie of our network namespace; 0: not asked for yet */
	struct inet_fresh *fresh; /* options_save.c: new sockets to compare with */
	struct inet_listing *listings; /* state.c */
	struct sock_memory_reader *memory; /* NULL: not needed yet, or impossible */
	int no_memory; /* -errno: why */
	struct nl_sock *diag; /* tcp_keys.c: of sock_diag; NULL: not needed yet */
	union inet_address asked; /* save.c: the last address that was looked for at this host */
	bool asked_foreign; /* it is none of its */
	struct nl_sock *lock; /* that owns the lock's table; NULL: none */
	bool lasting; /* a table that outlives us is there */
	bool script_called; /* action scripts know that the network is locked */
	char table[32], boot_id[BOOT_ID_LEN + 1]; /* of the lock */
};

/* NULL: no memory. */
struct inet_dump *inet_dump_data(struct dump *dump);
bool inet_tree_ends(const struct dump *dump);
/* To be read in save_end. NULL has been logged. */
struct inet_held *inet_hold(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, enum keeper_what what);

/* ---- restore ---- */

struct inet_socket {
	struct file *file;
	struct inet_socket *next; /* of inet_restore */
	const InetSkEntry *entry;
	const TcpStreamEntry *stream; /* a connection that is kept */
	const void *inq, *outq;
	bool close; /* a connection that is not */
	bool waits; /* a client that connects once more, and waits to be accepted */
	struct inet_socket **waiting; /* of a listening socket, as many as its entry has; NULL: none */
	bool shared_port; /* others of the images have it too: SO_REUSEADDR while they come into being */
};

/* kind_data of a restore */
struct inet_restore {
	struct inet_socket *first, **end;
	struct hash ports; /* port and protocol -> struct inet_socket, the first with it */
	struct nl_sock *lock; /* that owns our own table; NULL: none */
	char table[32];
	bool connected; /* some socket has a stream */
	bool had_connections; /* some socket had one when it was dumped */
};

/* NULL: no memory. */
struct inet_restore *inet_restore_data(struct restore *r);
