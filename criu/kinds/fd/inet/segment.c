// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/segment.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>
#include "kernel/nft_lock.h"

/* Pseudo header and segment: what the checksum is made over. RFC 9293, RFC 8200 */
static uint16_t checksum(const void *from, const void *to, size_t address_len, const struct tcphdr *tcp)
{
	struct {
		uint8_t addresses[32];
		uint32_t len, protocol;
		struct tcphdr tcp;
	} pseudo = { .len = htonl(sizeof(*tcp)), .protocol = htonl(IPPROTO_TCP), .tcp = *tcp };
	uint16_t words[sizeof(pseudo) / 2];
	uint32_t sum = 0;

	memcpy(pseudo.addresses, from, address_len);
	memcpy(pseudo.addresses + 16, to, address_len);
	memcpy(words, &pseudo, sizeof(pseudo));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

static void fill(const struct segment *s, struct tcphdr *tcp)
{
	*tcp = (struct tcphdr){
		.th_sport = htons(inet_address_port(&s->from)),
		.th_dport = htons(inet_address_port(&s->to)),
		.th_seq = htonl(s->seq),
		.th_ack = htonl(s->ack),
		.th_off = sizeof(*tcp) / 4,
		.th_flags = TH_ACK | (s->fin ? TH_FIN : 0),
		.th_win = htons(s->window),
	};
}

static int send_packet(int family, const void *packet, size_t len, const union inet_address *to)
{
	_cleanup_close_ int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int mark = NFT_LOCK_MARK;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    sendto(fd, packet, len, 0, &to->any, inet_address_len(to)) < 0)
		return -errno;
	return 0;
}

static int send_v4(const struct segment *s)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet;
	uint32_t from = inet_address_v4(&s->from), to = inet_address_v4(&s->to);
	union inet_address target = { .v4 = { .sin_family = AF_INET, .sin_addr.s_addr = to } };

	/* The kernel fills in what is 0 of identification and checksum. raw(7) */
	packet.ip = (struct iphdr){ .version = 4,
				    .ihl = 5,
				    .tot_len = htons(sizeof(packet)),
				    .ttl = 64,
				    .protocol = IPPROTO_TCP,
				    .saddr = from,
				    .daddr = to };
	fill(s, &packet.tcp);
	packet.tcp.th_sum = checksum(&from, &to, 4, &packet.tcp);
	return send_packet(AF_INET, &packet, sizeof(packet), &target);
}

static int send_v6(const struct segment *s)
{
	struct {
		struct ipv6hdr ip;
		struct tcphdr tcp;
	} packet;
	union inet_address target = s->to;

	packet.ip = (struct ipv6hdr){
		.version = 6, .payload_len = htons(sizeof(packet.tcp)), .nexthdr = IPPROTO_TCP, .hop_limit = 64
	};
	memcpy(&packet.ip.saddr, &s->from.v6.sin6_addr, 16);
	memcpy(&packet.ip.daddr, &s->to.v6.sin6_addr, 16);
	fill(s, &packet.tcp);
	packet.tcp.th_sum = checksum(&packet.ip.saddr, &packet.ip.daddr, 16, &packet.tcp);
	target.v6.sin6_port = 0;
	return send_packet(AF_INET6, &packet, sizeof(packet), &target);
}

int segment_send(const struct segment *s)
{
	return s->to.any.sa_family == AF_INET || inet_address_is_mapped(&s->to) ? send_v4(s) : send_v6(s);
}
