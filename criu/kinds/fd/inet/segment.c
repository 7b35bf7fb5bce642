// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/segment.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/raw_ip.h"

int segment_send(const struct segment *s)
{
	_cleanup_free_ char *bytes = malloc(sizeof(struct tcphdr) + s->len);
	/* What the urgent pointer means has been argued about (RFC 6093); 0 is the first byte to all. */
	struct tcphdr tcp = {
		.th_sport = htons(inet_address_port(&s->from)),
		.th_dport = htons(inet_address_port(&s->to)),
		.th_seq = htonl(s->seq),
		.th_ack = htonl(s->ack),
		.th_off = sizeof(tcp) / 4,
		.th_flags = TH_ACK | (s->fin ? TH_FIN : 0) | (s->rst ? TH_RST : 0) | (s->urgent ? TH_URG : 0),
		.th_win = htons(s->window),
	};

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &tcp, sizeof(tcp));
	if (s->len)
		memcpy(bytes + sizeof(tcp), s->data, s->len);
	return raw_ip_send(&s->from, &s->to, IPPROTO_TCP, bytes, sizeof(tcp) + s->len, offsetof(struct tcphdr, th_sum));
}
