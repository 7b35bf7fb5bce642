// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of IP, IPv6, TCP, UDP and raw sockets. What CRIU has a field for goes there; of the rest images hold what is
 * not as in a new socket of the same kind, which is asked, so that no default is written down here.
 */
#include "kinds/fd/inet/options.h"
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/udp.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/unkept.h"

#ifndef SOL_UDPLITE
#define SOL_UDPLITE 136
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#define SOL_ICMPV6_ 58
#define VALUE_MAX 512 /* the longest that is kept as bytes: IPv6 headers */

struct inet_option {
	int level, name;
	bool before_bind; /* bind(2) and connect(2) go by it */
	bool unconnected; /* in a connection the kernel shows what it made of it */
	bool datagram; /* not of TCP */
};

#define NOW(level, name)                        \
	{                                       \
		level, name, true, false, false \
	}
#define ANY(level, name)                         \
	{                                        \
		level, name, false, false, false \
	}
#define QUIET(level, name)                      \
	{                                       \
		level, name, false, true, false \
	}
#define DATAGRAM(level, name)                   \
	{                                       \
		level, name, false, false, true \
	}

/* Numbers where libc may not have the name yet. include/uapi/linux/in.h, in6.h, tcp.h, udp.h */
static const struct inet_option inet_numbers[] = {
	NOW(SOL_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */),
	NOW(SOL_IP, IP_TRANSPARENT),
	NOW(SOL_IP, 51 /* IP_LOCAL_PORT_RANGE */),
	NOW(SOL_IP, 50 /* IP_UNICAST_IF */),
	ANY(SOL_IP, IP_MULTICAST_ALL),
	ANY(SOL_IP, IP_ROUTER_ALERT),
	ANY(SOL_IP, IP_RECVOPTS),
	ANY(SOL_IP, IP_RETOPTS),
	ANY(SOL_IP, IP_MTU_DISCOVER),
	ANY(SOL_IP, IP_RECVERR),
	ANY(SOL_IP, IP_RECVTTL),
	ANY(SOL_IP, IP_RECVTOS),
	ANY(SOL_IP, IP_PASSSEC),
	ANY(SOL_IP, IP_ORIGDSTADDR),
	ANY(SOL_IP, IP_MINTTL),
	ANY(SOL_IP, 23 /* IP_CHECKSUM */),
	ANY(SOL_IP, 25 /* IP_RECVFRAGSIZE */),
	ANY(SOL_IP, 26 /* IP_RECVERR_RFC4884 */),
	DATAGRAM(SOL_IP, IP_MULTICAST_IF),
	DATAGRAM(SOL_IP, IP_MULTICAST_TTL),
	ANY(SOL_IP, IP_MULTICAST_LOOP),
	NOW(SOL_IPV6, IPV6_TRANSPARENT),
	NOW(SOL_IPV6, 78 /* IPV6_FREEBIND */),
	NOW(SOL_IPV6, IPV6_UNICAST_IF),
	ANY(SOL_IPV6, 29 /* IPV6_MULTICAST_ALL */),
	ANY(SOL_IPV6, 30 /* IPV6_ROUTER_ALERT_ISOLATE */),
	ANY(SOL_IPV6, IPV6_2292PKTINFO),
	ANY(SOL_IPV6, IPV6_2292HOPOPTS),
	ANY(SOL_IPV6, IPV6_2292DSTOPTS),
	ANY(SOL_IPV6, IPV6_2292RTHDR),
	ANY(SOL_IPV6, IPV6_2292HOPLIMIT),
	ANY(SOL_IPV6, 11 /* IPV6_FLOWINFO */),
	NOW(SOL_IPV6, 72 /* IPV6_ADDR_PREFERENCES */),
	ANY(SOL_IPV6, IPV6_UNICAST_HOPS),
	DATAGRAM(SOL_IPV6, IPV6_MULTICAST_IF),
	DATAGRAM(SOL_IPV6, IPV6_MULTICAST_HOPS),
	ANY(SOL_IPV6, IPV6_MULTICAST_LOOP),
	ANY(SOL_IPV6, IPV6_MTU_DISCOVER),
	ANY(SOL_IPV6, IPV6_RECVERR),
	ANY(SOL_IPV6, 31 /* IPV6_RECVERR_RFC4884 */),
	ANY(SOL_IPV6, IPV6_RECVPKTINFO),
	ANY(SOL_IPV6, IPV6_RECVHOPLIMIT),
	ANY(SOL_IPV6, IPV6_RECVRTHDR),
	ANY(SOL_IPV6, IPV6_RECVHOPOPTS),
	ANY(SOL_IPV6, IPV6_RECVDSTOPTS),
	ANY(SOL_IPV6, IPV6_RECVTCLASS),
	ANY(SOL_IPV6, IPV6_TCLASS),
	ANY(SOL_IPV6, 60 /* IPV6_RECVPATHMTU */),
	ANY(SOL_IPV6, 62 /* IPV6_DONTFRAG */),
	ANY(SOL_IPV6, 70 /* IPV6_AUTOFLOWLABEL */),
	ANY(SOL_IPV6, 73 /* IPV6_MINHOPCOUNT */),
	ANY(SOL_IPV6, 74 /* IPV6_ORIGDSTADDR */),
	ANY(SOL_IPV6, 77 /* IPV6_RECVFRAGSIZE */),
	ANY(SOL_IPV6, 33 /* IPV6_FLOWINFO_SEND */),
	ANY(SOL_RAW, IPV6_CHECKSUM),
	NOW(SOL_TCP, 30 /* TCP_FASTOPEN_CONNECT */),
	NOW(SOL_TCP, 34 /* TCP_FASTOPEN_NO_COOKIE */),
	QUIET(SOL_TCP, TCP_MAXSEG),
	ANY(SOL_TCP, TCP_WINDOW_CLAMP),
	ANY(SOL_TCP, TCP_DEFER_ACCEPT),
	QUIET(SOL_TCP, TCP_FASTOPEN),
	ANY(SOL_TCP, 27 /* TCP_SAVE_SYN */),
	ANY(SOL_TCP, TCP_QUICKACK),
	ANY(SOL_TCP, TCP_SYNCNT),
	ANY(SOL_TCP, TCP_LINGER2),
	ANY(SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS),
	ANY(SOL_TCP, TCP_USER_TIMEOUT),
	ANY(SOL_TCP, TCP_NOTSENT_LOWAT),
	ANY(SOL_TCP, 36 /* TCP_INQ */),
	ANY(SOL_TCP, 37 /* TCP_TX_DELAY */),
	ANY(SOL_TCP, 44 /* TCP_RTO_MAX_MS */),
	ANY(SOL_TCP, 45 /* TCP_RTO_MIN_US */),
	ANY(SOL_TCP, 46 /* TCP_DELACK_MAX_US */),
	ANY(SOL_UDP, UDP_CORK),
	ANY(SOL_UDP, 100 /* UDP_ENCAP */),
	ANY(SOL_UDP, 101 /* UDP_NO_CHECK6_TX */),
	ANY(SOL_UDP, 102 /* UDP_NO_CHECK6_RX */),
	ANY(SOL_UDP, 103 /* UDP_SEGMENT */),
	ANY(SOL_UDP, 104 /* UDP_GRO */),
	ANY(SOL_UDPLITE, 10 /* UDPLITE_SEND_CSCOV */),
	ANY(SOL_UDPLITE, 11 /* UDPLITE_RECV_CSCOV */),
};

/* Of any length; as read, so written. */
static const struct inet_option inet_values[] = {
	ANY(SOL_IP, IP_OPTIONS),
	ANY(SOL_IPV6, IPV6_HOPOPTS),
	ANY(SOL_IPV6, IPV6_RTHDRDSTOPTS),
	ANY(SOL_IPV6, IPV6_RTHDR),
	ANY(SOL_IPV6, IPV6_DSTOPTS),
	ANY(SOL_TCP, TCP_CONGESTION),
	ANY(SOL_TCP, 33 /* TCP_FASTOPEN_KEY */),
};

/* A new socket, and what it says: asked once. */
struct inet_fresh {
	struct inet_fresh *next;
	int family, type, protocol;
	int fd;
	bool has_number[ARRAY_SIZE(inet_numbers)];
	int number[ARRAY_SIZE(inet_numbers)];
	struct {
		socklen_t len;
		bool there;
		char bytes[VALUE_MAX];
	} value[ARRAY_SIZE(inet_values)];
};

static bool get_number(int fd, int level, int name, int *ret_value)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, name, &value, &len) < 0 || !len || len > sizeof(value))
		return false;
	*ret_value = value;
	return true;
}

/* Levels that a protocol does not have are not asked at all: another one's options have the same numbers. */
static bool level_fits(int level, int family, int type, int protocol)
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

/* ---- dump ---- */

static void ask_fresh(struct inet_fresh *fresh)
{
	for (size_t i = 0; i < ARRAY_SIZE(inet_numbers); i++) {
		const struct inet_option *o = &inet_numbers[i];

		fresh->has_number[i] = level_fits(o->level, fresh->family, fresh->type, fresh->protocol) &&
				       !(o->datagram && fresh->type == SOCK_STREAM) &&
				       get_number(fresh->fd, o->level, o->name, &fresh->number[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(inet_values); i++) {
		const struct inet_option *o = &inet_values[i];

		fresh->value[i].len = VALUE_MAX;
		fresh->value[i].there =
			level_fits(o->level, fresh->family, fresh->type, fresh->protocol) &&
			!getsockopt(fresh->fd, o->level, o->name, fresh->value[i].bytes, &fresh->value[i].len);
	}
}

/* NULL has been logged. */
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
		fail(-ENOMEM, "inet socket");
		return NULL;
	}
	*fresh = (struct inet_fresh){
		.next = data->fresh, .family = entry->family, .type = entry->type, .protocol = entry->proto
	};
	fresh->fd = socket(fresh->family, fresh->type | SOCK_CLOEXEC, fresh->protocol);
	if (fresh->fd < 0) {
		fail(-errno, "a socket to compare with");
		return NULL;
	}
	ask_fresh(fresh);
	data->fresh = fresh;
	return fresh;
}

void inet_fresh_close(struct inet_dump *data)
{
	for (struct inet_fresh *fresh = data->fresh; fresh; fresh = fresh->next)
		close(fresh->fd);
	data->fresh = NULL;
	cleanup_close(&data->diag);
	data->diag = -1;
}

#define MORE_MAX (ARRAY_SIZE(inet_numbers) + ARRAY_SIZE(inet_values))

static InetOptionEntry *add_more(struct dump *dump, InetSkEntry *entry, const struct inet_option *o)
{
	InetOptionEntry *more = dump_alloc(dump, sizeof(*more));

	if (!entry->more)
		entry->more = dump_alloc(dump, MORE_MAX * sizeof(*entry->more));
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

	for (size_t i = 0; i < ARRAY_SIZE(inet_numbers); i++) {
		const struct inet_option *o = &inet_numbers[i];
		InetOptionEntry *more;
		int value;

		if (!fresh->has_number[i] || (o->unconnected && !quiet) || !get_number(fd, o->level, o->name, &value) ||
		    value == fresh->number[i])
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
	for (size_t i = 0; i < ARRAY_SIZE(inet_values); i++) {
		const struct inet_option *o = &inet_values[i];
		char value[VALUE_MAX];
		socklen_t len = sizeof(value);
		InetOptionEntry *more;

		if (!fresh->value[i].there || getsockopt(fd, o->level, o->name, value, &len) < 0 ||
		    (len == fresh->value[i].len && !memcmp(value, fresh->value[i].bytes, len)))
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
	int value, normal, level = v6 ? SOL_IPV6 : SOL_IP, hdrincl = v6 ? 36 /* IPV6_HDRINCL */ : IP_HDRINCL;

	if (!raw || !filter)
		return -ENOMEM;
	ip_opts_raw_entry__init(raw);
	if (get_number(fd, level, hdrincl, &value) && get_number(fresh, level, hdrincl, &normal) &&
	    (value || value != normal)) {
		raw->has_hdrincl = true;
		raw->hdrincl = value;
	}
	if (!v6 && get_number(fd, SOL_IP, IP_NODEFRAG, &value) && value)
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
	if (entry->family == AF_INET6 && get_number(fd, SOL_IPV6, IPV6_V6ONLY, &value)) {
		entry->has_v6only = true;
		entry->v6only = value;
	}
	if (get_number(fd, SOL_IP, IP_FREEBIND, &value) && value)
		opts->has_freebind = opts->freebind = true;
	if (get_number(fd, SOL_IP, IP_PKTINFO, &value) && value)
		opts->has_pktinfo = opts->pktinfo = true;
	if (get_number(fd, SOL_IP, IP_TOS, &value) && value) {
		opts->has_tos = true;
		opts->tos = value;
	}
	if (get_number(fd, SOL_IP, IP_TTL, &value) && get_number(fresh, SOL_IP, IP_TTL, &normal) && value != normal) {
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
		if (!get_number(fd, SOL_TCP, numbers[i].name, &value) ||
		    !get_number(fresh, SOL_TCP, numbers[i].name, &normal) || value == normal)
			continue;
		*numbers[i].has = any = true;
		*numbers[i].value = value;
	}
	if (get_number(fd, SOL_TCP, TCP_NODELAY, &value) && value)
		opts->has_nodelay = opts->nodelay = any = true;
	if (get_number(fd, SOL_TCP, TCP_CORK, &value) && value)
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
	return err ? fail(err, "options of an inet socket") : 0;
}

/* ---- restore ---- */

static const struct inet_option *find(const InetOptionEntry *more)
{
	const struct inet_option *table = more->has_value ? inet_values : inet_numbers;
	size_t n = more->has_value ? ARRAY_SIZE(inet_values) : ARRAY_SIZE(inet_numbers);

	for (size_t i = 0; i < n; i++)
		if (table[i].level == (int)more->level && table[i].name == (int)more->name)
			return &table[i];
	return NULL;
}

int inet_options_check(const InetSkEntry *entry)
{
	size_t words = entry->family == AF_INET6 ? 8 : 1;

	for (size_t i = 0; i < entry->n_more; i++) {
		const InetOptionEntry *more = entry->more[i];

		if (more->has_value == more->has_number || !find(more) ||
		    (more->has_value && more->value.len > VALUE_MAX))
			return fail(-EBADMSG, "option %u of level %u of an inet socket: nothing here knows it",
				    more->name, more->level);
	}
	if (entry->ip_opts && entry->ip_opts->raw && entry->ip_opts->raw->n_icmpv_filter &&
	    entry->ip_opts->raw->n_icmpv_filter != words)
		return fail(-EBADMSG, "no ICMP filter has %zu words", entry->ip_opts->raw->n_icmpv_filter);
	return 0;
}

static int set_number(int fd, int level, int name, int value)
{
	int now;

	if (get_number(fd, level, name, &now) && now == value)
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
		err = fail(-errno, "bind a socket to the device %s", opts->so_bound_dev);
	return err ? err : set_more(fd, entry, true);
}

int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src)
{
	int level = entry->family == AF_INET ? SOL_IP : SOL_IPV6;
	int name = entry->family == AF_INET ? IP_FREEBIND : 78 /* IPV6_FREEBIND */;
	int before = 0, err;

	if (entry->foreign && (!get_number(fd, level, name, &before) || set_number(fd, level, name, 1) < 0))
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
		err = set_number(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? 36 /* IPV6_HDRINCL */ : IP_HDRINCL, raw->hdrincl);
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

/* listen(2) begins anew with it. */
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
