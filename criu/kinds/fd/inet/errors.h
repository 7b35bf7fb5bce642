/* SPDX-License-Identifier: GPL-2.0-only */
/* Errors that came to a socket as ICMP messages (icmp(7), RFC 792, RFC 4443), and come again. */
#pragma once
#include "kinds/fd/inet/data.h"

/* Whether such a message gives this errno to a socket like @entry. */
bool icmp_can_tell(const InetSkEntry *entry, int error);
/* The message that answers a packet of @protocol from @own to @peer; @head: the first 8 bytes behind its IP header. */
int icmp_send_error(const union inet_address *own, const union inet_address *peer, int protocol, const void *head,
		    int error);
/* In open, when everything else is done to it: the error that waits in a connected socket that is not TCP's. */
void inet_error_restore(int fd, const InetSkEntry *entry);
