/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of IP, IPv6, TCP, UDP and raw sockets that CRIU has no field for: images store them by level and name. */
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
#define INET_VALUE_MAX 512 /* the longest value: IPv6 headers */

struct inet_option {
	int level, name;
	bool before_bind; /* bind(2) and connect(2) depend on it */
	bool unconnected; /* in a connection the kernel reports the effective value, not the one that was set */
	bool datagram; /* not for TCP */
};

struct inet_option_table {
	const struct inet_option *rows;
	size_t n;
};

/* Options with an int; options stored as bytes. */
extern const struct inet_option_table inet_number_options, inet_value_options;

/* NULL: not in the table. */
const struct inet_option *inet_option_find(const struct inet_option_table *table, int level, int name);
/* False: the socket does not have the option. */
bool inet_option_get(int fd, int level, int name, int *ret_value);
