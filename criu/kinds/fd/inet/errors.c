// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/errors.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/crafted.h"

#define ERROR_WAIT_MS 2000

struct icmp_mapping {
	int error;
	uint8_t type, code;
};

/* net/ipv4/icmp.c icmp_err_convert, net/ipv6/icmp.c icmpv6_err_convert */
static const struct icmp_mapping mapping_v4[] = {
	{ ECONNREFUSED, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH }, { ENOPROTOOPT, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH },
	{ EHOSTUNREACH, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED }, { ENETUNREACH, ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN },
	{ EHOSTDOWN, ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN },	{ ENONET, ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED },
	{ EOPNOTSUPP, ICMP_DEST_UNREACH, ICMP_SR_FAILED },	{ EPROTO, ICMP_PARAMETERPROB, 0 },
};
static const struct icmp_mapping mapping_v6[] = {
	{ ECONNREFUSED, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH },
	{ EACCES, ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED },
	{ EPROTO, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD },
	{ EHOSTUNREACH, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH },
	{ ENETUNREACH, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE },
};

static const struct icmp_mapping *find(bool v4, int error)
{
	const struct icmp_mapping *table = v4 ? mapping_v4 : mapping_v6;
	size_t n = v4 ? ARRAY_SIZE(mapping_v4) : ARRAY_SIZE(mapping_v6);

	for (size_t i = 0; i < n; i++)
		if (table[i].error == error)
			return &table[i];
	return NULL;
}

static bool is_v4(const union inet_address *a)
{
	return a->any.sa_family == AF_INET || inet_address_is_mapped(a);
}

bool icmp_can_report(const InetSkEntry *entry, int error)
{
	union inet_address target;

	inet_entry_target(entry, &target);
	return find(is_v4(&target), error) != NULL;
}

/* The start of the packet that the message quotes. */
static int build_quoted(struct crafted *c, const struct icmp_quoted *quoted, uint8_t **ret_bytes, uint32_t *ret_len)
{
	struct crafted_ip ip = {
		.from = quoted->own, .to = quoted->peer, .protocol = quoted->protocol, .len = ICMP_QUOTED_LEN
	};
	int err = crafted_begin(c);

	if (!err)
		err = crafted_add_ip(c, &ip, quoted->head);
	return err ? err : crafted_bytes(c, ret_bytes, ret_len);
}

static int send_message(const struct icmp_quoted *quoted, const struct icmp_mapping *mapping, const uint8_t *bytes,
			uint32_t len)
{
	bool v4 = is_v4(quoted->own);
	struct crafted_ip ip = { .from = quoted->peer,
				 .to = quoted->own,
				 .protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
				 .len = LIBNET_ICMPV4_UNREACH_H + len };
	_cleanup_crafted_ struct crafted c = { 0 };
	int tag, err = crafted_begin(&c);

	if (err)
		return err;
	/* The headers of other types have the same layout. */
	tag = v4 ? c.net->build_icmpv4_unreach(mapping->type, mapping->code, 0, bytes, len, c.context, 0) :
		   c.net->build_icmpv6_unreach(mapping->type, mapping->code, 0, (uint8_t *)bytes, len, c.context, 0);
	return tag < 0 ? crafted_failed(&c) : crafted_send(&c, &ip);
}

int icmp_send_error(const struct icmp_quoted *quoted, int error)
{
	const struct icmp_mapping *mapping = find(is_v4(quoted->own), error);
	_cleanup_crafted_ struct crafted c = { 0 };
	uint8_t *bytes = NULL;
	uint32_t len = 0;
	int err;

	if (!mapping)
		return -EOPNOTSUPP;
	err = build_quoted(&c, quoted, &bytes, &len);
	if (err)
		return err;
	err = send_message(quoted, mapping, bytes, len);
	crafted_release(&c, bytes);
	return err;
}

/* The quoted packet: what the socket would have sent, as far as it is quoted. */
static void quoted_head(const InetSkEntry *entry, const union inet_address *own, const union inet_address *peer,
			char head[static ICMP_QUOTED_LEN])
{
	struct udphdr udp = { .source = htons(inet_address_port(own)),
			      .dest = htons(inet_address_port(peer)),
			      .len = htons(sizeof(udp)) };
	struct icmphdr echo = { .type = entry->family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO_REQUEST,
				.un.echo.id = htons(inet_address_port(own)) };

	if (entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE)
		memcpy(head, &udp, sizeof(udp));
	else
		memcpy(head, &echo, sizeof(echo));
}

static int send_error(int fd, const InetSkEntry *entry)
{
	union inet_address own, peer;
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
	struct pollfd p = { .fd = fd };
	char head[ICMP_QUOTED_LEN] = "";
	int err;

	if (getsockname(fd, &own.any, &own_len) < 0 || getpeername(fd, &peer.any, &peer_len) < 0)
		return -errno;
	quoted_head(entry, &own, &peer, head);
	err = icmp_send_error(
		&(struct icmp_quoted){ .own = &own, .peer = &peer, .protocol = (int)entry->proto, .head = head },
		(int)entry->error);
	if (!err)
		err = poll(&p, 1, ERROR_WAIT_MS) > 0 && (p.revents & POLLERR) ? 0 : -ETIMEDOUT;
	return err;
}

void inet_error_restore(int fd, const InetSkEntry *entry)
{
	int level = entry->family == AF_INET ? SOL_IP : SOL_IPV6;
	int name = entry->family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
	int queued = 0, off = 0, err;
	socklen_t len = sizeof(queued);

	if (!entry->error)
		return;
	/* It would be in MSG_ERRQUEUE as well. */
	getsockopt(fd, level, name, &queued, &len);
	setsockopt(fd, level, name, &off, sizeof(off));
	err = send_error(fd, entry);
	setsockopt(fd, level, name, &queued, sizeof(queued));
	if (err)
		log_warn("the pending error of a socket (SO_ERROR: %s) is lost: errno %d", strerror((int)entry->error),
			 -err);
}
