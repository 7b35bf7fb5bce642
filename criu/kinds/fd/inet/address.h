/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, as the kernel expects them, as images store them and as text. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "run/dump.h"
#include "sk-inet.pb-c.h"

#define INET_TEXT_MAX 128

/* An address with its port, IPv4 or IPv6. */
union inet_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

socklen_t inet_address_len(const union inet_address *a);
uint16_t inet_address_port(const union inet_address *a);
/* An IPv6 socket whose packets are IPv4. */
bool inet_address_is_mapped(const union inet_address *a);
/* The IPv4 address of an IPv4 or mapped address, in network byte order. */
uint32_t inet_address_v4(const union inet_address *a);
bool inet_address_is_any(const union inet_address *a);
bool inet_address_is_loopback(const union inet_address *a);
/* With their ports; an IPv4 address equals the same address in an IPv6 socket. */
bool inet_address_same(const union inet_address *a, const union inet_address *b);
/* "127.0.0.1:80", "[::1]:80"; the caller provides @text. */
const char *inet_address_text(const union inet_address *a, char text[static INET_TEXT_MAX]);
/* @entry has been checked by load. */
void inet_entry_source(const InetSkEntry *entry, union inet_address *ret);
void inet_entry_target(const InetSkEntry *entry, union inet_address *ret);
int inet_entry_set(struct dump *dump, InetSkEntry *entry, const union inet_address *src, const union inet_address *dst);
