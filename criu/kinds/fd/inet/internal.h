/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this kind need of each other. */
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/boot_id.h"
#include "kmem/sock_memory.h"
#include "kinds/fd/inet/keeper.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "sk-inet.pb-c.h"
#include "tcp-stream.pb-c.h"
#include "util/log.h"

#define INET_TEXT_MAX 128

/* An address with its port, of either family. */
union inet_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct inet_dump;

/* ---- address.c ---- */

socklen_t inet_address_len(const union inet_address *a);
uint16_t inet_address_port(const union inet_address *a);
/* v6: in a socket of that family, but packets are IPv4. */
bool inet_address_is_mapped(const union inet_address *a);
/* The IPv4 address of an IPv4 or mapped one, in network order. */
uint32_t inet_address_v4(const union inet_address *a);
bool inet_address_is_any(const union inet_address *a);
bool inet_address_is_loopback(const union inet_address *a);
/* "127.0.0.1:80", "[::1]:80"; @text is the caller's. */
const char *inet_address_text(const union inet_address *a, char text[static INET_TEXT_MAX]);
/* Of an entry, which has been checked by load. */
void inet_entry_source(const InetSkEntry *entry, union inet_address *ret);
void inet_entry_target(const InetSkEntry *entry, union inet_address *ret);
int inet_entry_set(struct dump *dump, InetSkEntry *entry, const union inet_address *src, const union inet_address *dst);

/* ---- options.c, unkept.c, groups.c ---- */

int inet_options_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
/* The new sockets that options were compared with, and that for sock_diag. */
void inet_fresh_close(struct inet_dump *data);
int inet_options_check(const InetSkEntry *entry);
/* What bind(2) and connect(2) go by; then the rest. */
int inet_options_before_bind(int fd, const InetSkEntry *entry);
int inet_options_restore(int fd, const InetSkEntry *entry);
/* bind(2); where the address was none of the host's at the dump either, it need not be now. As bind(2), -errno. */
int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src);
int inet_options_after_listen(int fd, const InetSkEntry *entry);
/* What cannot be given back: a blocker, or a warning where a network may lose it as well. */
void inet_options_refuse(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry);
int inet_groups_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
int inet_groups_check(const InetSkEntry *entry);
int inet_groups_restore(int fd, const InetSkEntry *entry);

/* ---- state.c, in the dump ---- */

/* What the kernel's memory tells of it. */
int inet_memory_of(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry, struct sock_memory *ret);
void inet_set_shutdown(InetSkEntry *entry, unsigned how);
/* shutdown, error: of a socket that is not TCP's. True: an error waits, or may. */
bool inet_state_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);

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
	struct inet_fresh *fresh; /* options.c: new sockets to compare with */
	struct inet_listing *listings; /* state.c */
	struct sock_memory_reader *memory; /* NULL: not needed yet, or impossible */
	int no_memory; /* -errno: why */
	int diag; /* tcp_keys.c: netlink socket; -1: not needed yet */
	union inet_address asked; /* inet.c: the last address that was looked for at this host */
	bool asked_foreign; /* it is none of its */
	int lock; /* netlink socket that owns the lock's table; -1: none */
	bool lasting; /* a table that outlives us is there */
	bool script_called; /* action scripts know that the network is locked */
	char table[32], boot_id[BOOT_ID_LEN + 1]; /* of the lock */
};

struct inet_dump *inet_dump_data(struct dump *dump);
/* tcp_save.c: a socket that is no plain one; the rest in save_end. */
int tcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info);
/* mptcp.c: the same for Multipath TCP. */
int mptcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info);
/* A socket that listens, for connections that wait, and the lock. */
int tcp_save_listening(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry,
		       const struct tcp_info *info);
int tcp_forget_connection(struct dump *dump, InetSkEntry *entry);
/* read.c: NULL has been logged. */
struct inet_held *inet_hold(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, enum keeper_what what);
/* In save_end. */
int inet_read_held(struct dump *dump, struct inet_dump *data);
int inet_save_rest(struct dump *dump);
/* Ours are the last copies: what is closed in repair mode says nothing to its peer. tcp(7), net/ipv4/tcp.c tcp_close */
void tcp_close_silently(struct inet_dump *data);

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
	int lock; /* netlink socket that owns our own table; -1: none */
	char table[32];
	bool connected; /* some socket has a stream */
	bool had_connections; /* some socket had one when it was dumped */
};

struct inet_restore *inet_restore_data(struct restore *r);
/* A copy of the descriptor of a task that stands still. */
int inet_borrow(struct restore *r, const struct inet_socket *sk);
/* Multipath TCP (RFC 8684) is TCP here. */
bool inet_is_tcp(const InetSkEntry *entry);
bool inet_is_mptcp(const InetSkEntry *entry);
/* In load. */
int tcp_load(struct restore *r, struct inet_socket *sk);
/* tcp_over.c, in open: one that is over. */
int tcp_restore_over(const struct inet_socket *sk, int fd);
/* What comes from others than us does not reach the socket; a peer that does not exist. */
int tcp_hear_only_marked(int fd);
void tcp_hear_all(int fd);
int tcp_connect_to_nobody(int fd, int family, union inet_address *ret_peer);
/* tcp_failed.c, in open: one whose connect(2) has failed. */
int tcp_restore_failed(const struct inet_socket *sk, int fd);
bool tcp_can_fail_so(const InetSkEntry *entry, int error);
/* tcp_urgent.c */
int tcp_urgent_check(const struct inet_socket *sk, const TcpStreamEntry *e);
/* In repair mode: what waits to be read, from the urgent byte on, whose sequence number is @seq. */
int tcp_urgent_receive(const struct inet_socket *sk, int fd, uint32_t seq, uint32_t ack);
/* A part of the send queue, with the urgent byte if it lies there. */
int tcp_urgent_put(const struct inet_socket *sk, int fd, uint32_t from, uint32_t len);
/* tcp_keys.c */
int tcp_keys_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const union inet_address *src,
		  const union inet_address *dst);
int tcp_keys_check(const InetSkEntry *entry);
int tcp_keys_restore(int fd, const InetSkEntry *entry);
/* datagrams.c, in open before anything else: what waits in it. */
int inet_datagrams_check(const InetSkEntry *entry);
void inet_datagrams_restore(int fd, const InetSkEntry *entry);
/* Bytes of memory that what waits takes; asking does not touch it. */
uint32_t inet_memory_waiting(int fd);
/* tcp_open.c: parts */
int tcp_set_sequence(int fd, int queue, uint32_t seq);
int tcp_put_bytes(int fd, const char *from, uint32_t len);
int tcp_await_state(int fd, uint32_t state);
/* In finish: the connection, in repair mode. */
int tcp_connect_repaired(const struct inet_socket *sk, int fd);
/* In ready: all of them exist; they come to life. */
int tcp_revive(const struct inet_socket *sk, int fd);
