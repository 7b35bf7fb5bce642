// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/options_restore.h"
#include <errno.h>
#include <string.h>
#include "kinds/fd/inet/option_table.h"

static const struct inet_option *find(const InetOptionEntry *more)
{
	const struct inet_option_table *table = more->has_value ? &inet_value_options : &inet_number_options;

	return inet_option_find(table, (int)more->level, (int)more->name);
}

int inet_options_check(const InetSkEntry *entry)
{
	size_t words = entry->family == AF_INET6 ? 8 : 1;

	for (size_t i = 0; i < entry->n_more; i++) {
		const InetOptionEntry *more = entry->more[i];

		if (more->has_value == more->has_number || !find(more) ||
		    (more->has_value && more->value.len > INET_VALUE_MAX))
			return fail(-EBADMSG, "unknown option %u of level %u of an internet socket", more->name,
				    more->level);
	}
	if (entry->ip_opts && entry->ip_opts->raw && entry->ip_opts->raw->n_icmpv_filter &&
	    entry->ip_opts->raw->n_icmpv_filter != words)
		return fail(-EBADMSG, "invalid ICMP filter of %zu words", entry->ip_opts->raw->n_icmpv_filter);
	return 0;
}

static int set_number(int fd, int level, int name, int value)
{
	int now;

	if (inet_option_get(fd, level, name, &now) && now == value)
		return 0;
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		return fail(-errno, "set option %d of level %d of a socket to %d", name, level, value);
	return 0;
}

static int set_more(int fd, const InetSkEntry *entry, bool before_bind)
{
	int err = 0;

	for (size_t i = 0; !err && i < entry->n_more; i++) {
		const InetOptionEntry *more = entry->more[i];

		if (find(more)->before_bind != before_bind)
			continue;
		if (more->has_number)
			err = set_number(fd, more->level, more->name, more->number);
		else if (setsockopt(fd, more->level, more->name, more->value.data, more->value.len) < 0)
			err = fail(-errno, "set option %u of level %u of a socket (%.*s)", more->name, more->level,
				   more->level == SOL_TCP ? (int)more->value.len : 0, (const char *)more->value.data);
	}
	return err;
}

int inet_options_before_bind(int fd, const InetSkEntry *entry)
{
	const SkOptsEntry *opts = entry->opts;
	int err = 0;

	if (entry->family == AF_INET6 && entry->has_v6only)
		err = set_number(fd, SOL_IPV6, IPV6_V6ONLY, entry->v6only);
	if (!err && entry->ip_opts && entry->ip_opts->freebind)
		err = set_number(fd, SOL_IP, IP_FREEBIND, 1);
	if (!err && opts->reuseaddr)
		err = set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && opts->so_reuseport)
		err = set_number(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && opts->so_bound_dev &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opts->so_bound_dev, strlen(opts->so_bound_dev) + 1) < 0)
		err = fail(-errno, "bind a socket to device %s", opts->so_bound_dev);
	return err ? err : set_more(fd, entry, true);
}

int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src)
{
	int level = entry->family == AF_INET ? SOL_IP : SOL_IPV6;
	int name = entry->family == AF_INET ? IP_FREEBIND : 78 /* IPV6_FREEBIND */;
	int before = 0, err;

	if (entry->foreign && (!inet_option_get(fd, level, name, &before) || set_number(fd, level, name, 1) < 0))
		return -EOPNOTSUPP;
	err = bind(fd, &src->any, inet_address_len(src)) < 0 ? -errno : 0;
	if (entry->foreign && set_number(fd, level, name, before) < 0 && !err)
		err = -EOPNOTSUPP;
	return err;
}

static int restore_raw(int fd, const InetSkEntry *entry, const IpOptsRawEntry *raw)
{
	bool v6 = entry->family == AF_INET6;
	int err = 0;

	if (raw->has_hdrincl)
		err = set_number(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_HDRINCL_ : IP_HDRINCL, raw->hdrincl);
	if (!err && raw->nodefrag)
		err = set_number(fd, SOL_IP, IP_NODEFRAG, 1);
	if (!err && raw->n_icmpv_filter &&
	    setsockopt(fd, v6 ? SOL_ICMPV6_ : SOL_RAW, 1, raw->icmpv_filter, raw->n_icmpv_filter * sizeof(uint32_t)) <
		    0)
		err = fail(-errno, "set the ICMP filter of a socket");
	return err;
}

static int restore_tcp(int fd, const InetSkEntry *entry)
{
	const TcpOptsEntry *opts = entry->tcp_opts;
	const SkOptsEntry *sk = entry->opts;
	uint32_t count = opts && opts->has_keepcnt ? opts->keepcnt : sk->tcp_keepcnt;
	uint32_t idle = opts && opts->has_keepidle ? opts->keepidle : sk->tcp_keepidle;
	uint32_t interval = opts && opts->has_keepintvl ? opts->keepintvl : sk->tcp_keepintvl;
	int err = 0;

	if (count)
		err = set_number(fd, SOL_TCP, TCP_KEEPCNT, count);
	if (!err && idle)
		err = set_number(fd, SOL_TCP, TCP_KEEPIDLE, idle);
	if (!err && interval)
		err = set_number(fd, SOL_TCP, TCP_KEEPINTVL, interval);
	/* CORK before NODELAY: setting NODELAY pushes what is corked. */
	if (!err && opts && opts->cork)
		err = set_number(fd, SOL_TCP, TCP_CORK, 1);
	if (!err && opts && opts->nodelay)
		err = set_number(fd, SOL_TCP, TCP_NODELAY, 1);
	return err;
}

/* listen(2) resets it. */
int inet_options_after_listen(int fd, const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_more; i++)
		if (entry->more[i]->level == SOL_TCP && entry->more[i]->name == TCP_QUICKACK)
			return set_number(fd, SOL_TCP, TCP_QUICKACK, entry->more[i]->number);
	return 0;
}

int inet_options_restore(int fd, const InetSkEntry *entry)
{
	const IpOptsEntry *opts = entry->ip_opts;
	int err = set_more(fd, entry, false);

	if (!err && opts && opts->pktinfo)
		err = set_number(fd, SOL_IP, IP_PKTINFO, 1);
	if (!err && opts && opts->has_tos)
		err = set_number(fd, SOL_IP, IP_TOS, opts->tos);
	if (!err && opts && opts->has_ttl)
		err = set_number(fd, SOL_IP, IP_TTL, opts->ttl);
	if (!err && opts && opts->raw)
		err = restore_raw(fd, entry, opts->raw);
	if (!err && entry->type == SOCK_STREAM)
		err = restore_tcp(fd, entry);
	return err;
}
