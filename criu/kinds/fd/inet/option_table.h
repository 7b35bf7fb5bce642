/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of IP, IPv6, TCP, UDP and raw sockets that images hold by level and name: CRIU has no field for them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifndef SOL_UDPLITE
#define SOL_UDPLITE 136
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#define SOL_ICMPV6_ 58
#define IPV6_HDRINCL_ 36
#define INET_VALUE_MAX 512 /* the longest that is kept as bytes: IPv6 headers */

struct inet_option {
	int level, name;
	bool before_bind; /* bind(2) and connect(2) go by it */
	bool unconnected; /* in a connection the kernel shows what it made of it */
	bool datagram; /* not of TCP */
};

struct inet_option_table {
	const struct inet_option *rows;
	size_t n;
};

/* Numbers; what is kept as bytes. */
extern const struct inet_option_table inet_number_options, inet_value_options;

/* NULL: there is none. */
const struct inet_option *inet_option_find(const struct inet_option_table *table, int level, int name);
/* False where the socket has no such option. */
bool inet_option_get(int fd, int level, int name, int *ret_value);
