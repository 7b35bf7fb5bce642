/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses: as the kernel takes them, as images hold them, as people read them. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "run/dump.h"
#include "sk-inet.pb-c.h"

#define INET_TEXT_MAX 128

/* An address with its port, of either family. */
union inet_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

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
