/* SPDX-License-Identifier: GPL-2.0-only */
/* Errors that a socket got from ICMP messages (icmp(7), RFC 792, RFC 4443), produced again by such messages. */
#pragma once
#include "kinds/fd/inet/data.h"

/* Whether an ICMP message produces this errno in a socket like @entry. */
bool icmp_can_report(const InetSkEntry *entry, int error);
/* A packet from @own to @peer; @head: its first bytes after the IP header. */
#define ICMP_QUOTED_LEN 8
struct icmp_quoted {
	const union inet_address *own, *peer;
	int protocol;
	const void *head;
};
/* Sends the message that quotes it. */
int icmp_send_error(const struct icmp_quoted *quoted, int error);
/* In open, as the last step: the pending error of a connected socket other than TCP. */
void inet_error_restore(int fd, const InetSkEntry *entry);
