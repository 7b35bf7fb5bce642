/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP_REPAIR and the meaning of states. tcp(7), include/uapi/linux/tcp.h */
#pragma once
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef TCP_REPAIR_ON
#define TCP_REPAIR_ON 1
#define TCP_REPAIR_OFF 0
#endif
#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP (-1) /* without a window probe */
#endif
#define TCPI_OPT_USEC_TS_ 64u /* Linux 6.7; may be missing from libc's headers */
#define TCP_OPTIONS_SAVED 7u /* TCPI_OPT_TIMESTAMPS, _SACK, _WSCALE */

static inline int tcp_repair(int fd, int how)
{
	return setsockopt(fd, SOL_TCP, TCP_REPAIR, &how, sizeof(how)) < 0 ? -errno : 0;
}

static inline int tcp_repair_queue(int fd, int queue)
{
	return setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0 ? -errno : 0;
}

/* Our side has sent its FIN. */
static inline bool tcp_sent_fin(uint32_t state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* The peer has sent its FIN. */
static inline bool tcp_got_fin(uint32_t state)
{
	return state == TCP_CLOSE_WAIT || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

int tcp_set_sequence(int fd, int queue, uint32_t seq);
/* Into the queue selected by repair mode, or as any send(2). */
int tcp_put_bytes(int fd, const char *from, uint32_t len);
int tcp_await_state(int fd, uint32_t state);
/* MSG_OOB has something to read, or the program's read position is at the mark. */
bool tcp_has_urgent(int fd);
