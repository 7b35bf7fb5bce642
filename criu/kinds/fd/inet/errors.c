// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/errors.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <poll.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/raw_ip.h"

#define ERROR_WAIT_MS 2000
#define HEAD_LEN 8

struct told {
	int error;
	uint8_t type, code;
};

/* net/ipv4/icmp.c icmp_err_convert, net/ipv6/icmp.c icmpv6_err_convert */
static const struct told told_v4[] = {
	{ ECONNREFUSED, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH }, { ENOPROTOOPT, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH },
	{ EHOSTUNREACH, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED }, { ENETUNREACH, ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN },
	{ EHOSTDOWN, ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN },	{ ENONET, ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED },
	{ EOPNOTSUPP, ICMP_DEST_UNREACH, ICMP_SR_FAILED },	{ EPROTO, ICMP_PARAMETERPROB, 0 },
};
static const struct told told_v6[] = {
	{ ECONNREFUSED, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH },
	{ EACCES, ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED },
	{ EPROTO, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD },
	{ EHOSTUNREACH, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH },
	{ ENETUNREACH, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE },
};

static const struct told *find(bool v4, int error)
{
	const struct told *table = v4 ? told_v4 : told_v6;
	size_t n = v4 ? ARRAY_SIZE(told_v4) : ARRAY_SIZE(told_v6);

	for (size_t i = 0; i < n; i++)
		if (table[i].error == error)
			return &table[i];
	return NULL;
}

static bool is_v4(const union inet_address *a)
{
	return a->any.sa_family == AF_INET || inet_address_is_mapped(a);
}

bool icmp_can_tell(const InetSkEntry *entry, int error)
{
	union inet_address target;

	inet_entry_target(entry, &target);
	return find(is_v4(&target), error) != NULL;
}

int icmp_send_error(const union inet_address *own, const union inet_address *peer, int protocol, const void *head,
		    int error)
{
	bool v4 = is_v4(own);
	const struct told *told = find(v4, error);
	struct {
		uint8_t type, code;
		uint16_t checksum;
		uint32_t rest;
		char packet[sizeof(struct ipv6hdr) + HEAD_LEN];
	} message = { 0 };
	size_t ip_len = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	if (!told)
		return -EOPNOTSUPP;
	message.type = told->type;
	message.code = told->code;
	if (v4) {
		struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = protocol };

		ip.tot_len = htons(sizeof(ip) + HEAD_LEN);
		ip.saddr = inet_address_v4(own);
		ip.daddr = inet_address_v4(peer);
		memcpy(message.packet, &ip, sizeof(ip));
	} else {
		struct ipv6hdr ip = { .version = 6, .nexthdr = protocol, .hop_limit = 64 };

		ip.payload_len = htons(HEAD_LEN);
		memcpy(&ip.saddr, &own->v6.sin6_addr, sizeof(ip.saddr));
		memcpy(&ip.daddr, &peer->v6.sin6_addr, sizeof(ip.daddr));
		memcpy(message.packet, &ip, sizeof(ip));
	}
	memcpy(message.packet + ip_len, head, HEAD_LEN);
	return raw_ip_send(peer, own, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, &message, 8 + ip_len + HEAD_LEN,
			   offsetof(struct icmphdr, checksum));
}

/* The packet that is told of: as the socket would have sent it, as far as it goes. */
static void packet_head(const InetSkEntry *entry, const union inet_address *own, const union inet_address *peer,
			char head[static HEAD_LEN])
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
	char head[HEAD_LEN] = "";
	int err;

	if (getsockname(fd, &own.any, &own_len) < 0 || getpeername(fd, &peer.any, &peer_len) < 0)
		return -errno;
	packet_head(entry, &own, &peer, head);
	err = icmp_send_error(&own, &peer, entry->proto, head, (int)entry->error);
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
		log_warn("the error that waited in a socket (SO_ERROR: %s) is lost: errno %d",
			 strerror((int)entry->error), -err);
}
