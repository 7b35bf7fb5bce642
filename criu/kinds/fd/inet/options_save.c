// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of IP, IPv6, TCP, UDP and raw sockets. Where CRIU has a field, that is used; of the others, images store
 * those that differ from a new socket of the same type, which is queried, so that no default is hard-coded here.
 */
#include "kinds/fd/inet/options_save.h"
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/option_table.h"
#include "kinds/fd/inet/options_refuse.h"

/* A new socket with its option values, queried once. */
struct fresh_number {
	bool there;
	int value;
};
struct fresh_value {
	bool there;
	socklen_t len;
	char bytes[INET_VALUE_MAX];
};
struct inet_fresh {
	struct inet_fresh *next;
	int family, type, protocol;
	int fd;
	/* As many as the tables have rows. */
	struct fresh_number *numbers;
	struct fresh_value *values;
};

/* Levels that a protocol lacks are not queried: another protocol's options have the same numbers. */
static bool level_applies(int level, int family, int type, int protocol)
{
	switch (level) {
	case SOL_IPV6:
		return family == AF_INET6;
	case SOL_IP:
		return family == AF_INET || type != SOCK_RAW;
	case SOL_RAW:
		return family == AF_INET6 && type == SOCK_RAW;
	case SOL_TCP:
		return type == SOCK_STREAM;
	case SOL_UDP:
		return type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE);
	default:
		return type == SOCK_DGRAM && level == protocol;
	}
}

static bool may_have(const struct inet_fresh *fresh, const struct inet_option *o)
{
	return level_applies(o->level, fresh->family, fresh->type, fresh->protocol) &&
	       !(o->datagram && fresh->type == SOCK_STREAM);
}

static int query_fresh(struct dump *dump, struct inet_fresh *fresh)
{
	fresh->numbers = dump_alloc(dump, inet_number_options.n * sizeof(*fresh->numbers));
	fresh->values = dump_alloc(dump, inet_value_options.n * sizeof(*fresh->values));
	if (!fresh->numbers || !fresh->values)
		return -ENOMEM;
	for (size_t i = 0; i < inet_number_options.n; i++) {
		const struct inet_option *o = &inet_number_options.rows[i];
		struct fresh_number *number = &fresh->numbers[i];

		number->there = may_have(fresh, o) && inet_option_get(fresh->fd, o->level, o->name, &number->value);
	}
	for (size_t i = 0; i < inet_value_options.n; i++) {
		const struct inet_option *o = &inet_value_options.rows[i];
		struct fresh_value *value = &fresh->values[i];

		value->len = sizeof(value->bytes);
		value->there =
			may_have(fresh, o) && !getsockopt(fresh->fd, o->level, o->name, value->bytes, &value->len);
	}
	return 0;
}

/* NULL: an error, already logged. */
static const struct inet_fresh *fresh_socket(struct dump *dump, const InetSkEntry *entry)
{
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_fresh *fresh;

	for (fresh = data ? data->fresh : NULL; fresh; fresh = fresh->next)
		if (fresh->family == (int)entry->family && fresh->type == (int)entry->type &&
		    fresh->protocol == (int)entry->proto)
			return fresh;
	fresh = data ? dump_alloc(dump, sizeof(*fresh)) : NULL;
	if (!fresh) {
		fail(-ENOMEM, "internet socket");
		return NULL;
	}
	*fresh = (struct inet_fresh){
		.next = data->fresh, .family = entry->family, .type = entry->type, .protocol = entry->proto
	};
	fresh->fd = socket(fresh->family, fresh->type | SOCK_CLOEXEC, fresh->protocol);
	if (fresh->fd < 0) {
		fail(-errno, "create a socket to compare with");
		return NULL;
	}
	if (query_fresh(dump, fresh) < 0) {
		close(fresh->fd);
		fail(-ENOMEM, "internet socket");
		return NULL;
	}
	data->fresh = fresh;
	return fresh;
}

void inet_fresh_close(struct inet_dump *data)
{
	for (struct inet_fresh *fresh = data->fresh; fresh; fresh = fresh->next)
		close(fresh->fd);
	data->fresh = NULL;
}

static InetOptionEntry *add_more(struct dump *dump, InetSkEntry *entry, const struct inet_option *o)
{
	InetOptionEntry *more = dump_alloc(dump, sizeof(*more));

	if (!entry->more)
		entry->more = dump_alloc(dump, (inet_number_options.n + inet_value_options.n) * sizeof(*entry->more));
	if (!more || !entry->more)
		return NULL;
	inet_option_entry__init(more);
	more->level = o->level;
	more->name = o->name;
	entry->more[entry->n_more++] = more;
	return more;
}

static int save_numbers(struct dump *dump, int fd, const struct inet_fresh *fresh, InetSkEntry *entry)
{
	bool quiet = entry->type != SOCK_STREAM || entry->state == TCP_LISTEN ||
		     (entry->state == TCP_CLOSE && !entry->has_shutdown);

	for (size_t i = 0; i < inet_number_options.n; i++) {
		const struct inet_option *o = &inet_number_options.rows[i];
		const struct fresh_number *normal = &fresh->numbers[i];
		InetOptionEntry *more;
		int value;

		if (!normal->there || (o->unconnected && !quiet) || !inet_option_get(fd, o->level, o->name, &value) ||
		    value == normal->value)
			continue;
		more = add_more(dump, entry, o);
		if (!more)
			return -ENOMEM;
		more->has_number = true;
		more->number = value;
	}
	return 0;
}

static int save_values(struct dump *dump, int fd, const struct inet_fresh *fresh, InetSkEntry *entry)
{
	for (size_t i = 0; i < inet_value_options.n; i++) {
		const struct inet_option *o = &inet_value_options.rows[i];
		const struct fresh_value *normal = &fresh->values[i];
		char value[INET_VALUE_MAX];
		socklen_t len = sizeof(value);
		InetOptionEntry *more;

		if (!normal->there || getsockopt(fd, o->level, o->name, value, &len) < 0 ||
		    (len == normal->len && !memcmp(value, normal->bytes, len)))
			continue;
		more = add_more(dump, entry, o);
		if (!more)
			return -ENOMEM;
		more->has_value = true;
		more->value.data = dump_alloc(dump, len + 1);
		if (!more->value.data)
			return -ENOMEM;
		memcpy(more->value.data, value, len);
		more->value.len = len;
	}
	return 0;
}

static int save_raw(struct dump *dump, int fd, int fresh, const InetSkEntry *entry, IpOptsEntry *opts)
{
	bool v6 = entry->family == AF_INET6;
	socklen_t len = v6 ? sizeof(struct icmp6_filter) : sizeof(struct icmp_filter);
	IpOptsRawEntry *raw = dump_alloc(dump, sizeof(*raw));
	uint32_t *filter = dump_alloc(dump, len);
	int value, normal, level = v6 ? SOL_IPV6 : SOL_IP, hdrincl = v6 ? IPV6_HDRINCL_ : IP_HDRINCL;

	if (!raw || !filter)
		return -ENOMEM;
	ip_opts_raw_entry__init(raw);
	if (inet_option_get(fd, level, hdrincl, &value) && inet_option_get(fresh, level, hdrincl, &normal) &&
	    (value || value != normal)) {
		raw->has_hdrincl = true;
		raw->hdrincl = value;
	}
	if (!v6 && inet_option_get(fd, SOL_IP, IP_NODEFRAG, &value) && value)
		raw->has_nodefrag = raw->nodefrag = true;
	if (entry->proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) &&
	    !getsockopt(fd, v6 ? SOL_ICMPV6_ : SOL_RAW, 1 /* ICMP_FILTER, ICMPV6_FILTER */, filter, &len)) {
		raw->icmpv_filter = filter;
		raw->n_icmpv_filter = len / sizeof(*filter);
	}
	opts->raw = raw;
	return 0;
}

static int save_ip(struct dump *dump, int fd, int fresh, InetSkEntry *entry)
{
	IpOptsEntry *opts = dump_alloc(dump, sizeof(*opts));
	int value, normal;

	if (!opts)
		return -ENOMEM;
	ip_opts_entry__init(opts);
	entry->ip_opts = opts;
	if (entry->family == AF_INET6 && inet_option_get(fd, SOL_IPV6, IPV6_V6ONLY, &value)) {
		entry->has_v6only = true;
		entry->v6only = value;
	}
	if (inet_option_get(fd, SOL_IP, IP_FREEBIND, &value) && value)
		opts->has_freebind = opts->freebind = true;
	if (inet_option_get(fd, SOL_IP, IP_PKTINFO, &value) && value)
		opts->has_pktinfo = opts->pktinfo = true;
	if (inet_option_get(fd, SOL_IP, IP_TOS, &value) && value) {
		opts->has_tos = true;
		opts->tos = value;
	}
	if (inet_option_get(fd, SOL_IP, IP_TTL, &value) && inet_option_get(fresh, SOL_IP, IP_TTL, &normal) &&
	    value != normal) {
		opts->has_ttl = true;
		opts->ttl = value;
	}
	return entry->type == SOCK_RAW ? save_raw(dump, fd, fresh, entry, opts) : 0;
}

static int save_tcp(struct dump *dump, int fd, int fresh, InetSkEntry *entry)
{
	TcpOptsEntry *opts = dump_alloc(dump, sizeof(*opts));
	struct {
		int name;
		protobuf_c_boolean *has;
		uint32_t *value;
	} numbers[] = {
		{ TCP_KEEPCNT, &opts->has_keepcnt, &opts->keepcnt },
		{ TCP_KEEPIDLE, &opts->has_keepidle, &opts->keepidle },
		{ TCP_KEEPINTVL, &opts->has_keepintvl, &opts->keepintvl },
	};
	protobuf_c_boolean any = false;
	int value, normal;

	if (!opts)
		return -ENOMEM;
	tcp_opts_entry__init(opts);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!inet_option_get(fd, SOL_TCP, numbers[i].name, &value) ||
		    !inet_option_get(fresh, SOL_TCP, numbers[i].name, &normal) || value == normal)
			continue;
		*numbers[i].has = any = true;
		*numbers[i].value = value;
	}
	if (inet_option_get(fd, SOL_TCP, TCP_NODELAY, &value) && value)
		opts->has_nodelay = opts->nodelay = any = true;
	if (inet_option_get(fd, SOL_TCP, TCP_CORK, &value) && value)
		opts->has_cork = opts->cork = any = true;
	if (any)
		entry->tcp_opts = opts;
	return 0;
}

int inet_options_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	const struct inet_fresh *fresh = fresh_socket(dump, entry);
	int fd = probe->local, err;

	if (!fresh)
		return -ENOMEM;
	inet_options_refuse(dump, probe, entry);
	err = save_ip(dump, fd, fresh->fd, entry);
	if (!err && entry->type == SOCK_STREAM)
		err = save_tcp(dump, fd, fresh->fd, entry);
	if (!err)
		err = save_numbers(dump, fd, fresh, entry);
	if (!err)
		err = save_values(dump, fd, fresh, entry);
	return err ? fail(err, "options of an internet socket") : 0;
}
