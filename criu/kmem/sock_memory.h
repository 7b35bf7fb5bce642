/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of a socket that no system call returns, or only by changing it, read from kernel memory. For sockets of frozen
 * tasks only. 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sock_memory {
	uint8_t shutdown; /* 1: receiving, 2: sending */
	int error; /* SO_ERROR, a positive errno */
	uint32_t queued_errors; /* in MSG_ERRQUEUE */
	uint32_t unsent; /* packets being assembled (MSG_MORE, UDP_CORK); undefined for TCP */
	bool connecting; /* a connect(2) has not reported its result yet */
	/* Internet sockets only. */
	uint16_t port; /* local port, 0: none */
	uint8_t state; /* the kernel's TCP_* */
	uint32_t peer[4]; /* address, IPv4 in the first word; network order */
	bool has_md5; /* TCP_MD5SIG; TCP only */
	uint32_t urgent_end,
		unacked; /* sequence numbers: after the urgent byte last sent; first unacknowledged; TCP only */
};

struct sock_memory_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. Takes some ms: call it once per run. */
int sock_memory_open(struct sock_memory_reader **ret);
void sock_memory_close(struct sock_memory_reader *reader);
int sock_memory_read(struct sock_memory_reader *reader, int fd, bool inet, bool tcp, struct sock_memory *ret);
