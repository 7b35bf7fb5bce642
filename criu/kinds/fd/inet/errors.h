/* SPDX-License-Identifier: GPL-2.0-only */
/* Errors that came to a socket as ICMP messages (icmp(7), RFC 792, RFC 4443), and come again. */
#pragma once
#include "kinds/fd/inet/data.h"

/* Whether such a message gives this errno to a socket like @entry. */
bool icmp_can_tell(const InetSkEntry *entry, int error);
/* A packet from @own to @peer; @head: its first bytes behind the IP header. */
#define ICMP_ANSWERED_LEN 8
struct icmp_answered {
	const union inet_address *own, *peer;
	int protocol;
	const void *head;
};
/* The message that answers it. */
int icmp_send_error(const struct icmp_answered *answered, int error);
/* In open, when everything else is done to it: the error that waits in a connected socket that is not TCP's. */
void inet_error_restore(int fd, const InetSkEntry *entry);
