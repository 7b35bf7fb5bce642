// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/segment.h"
#include <arpa/inet.h>
#include "kinds/fd/inet/raw_ip.h"

int segment_send(const struct segment *s)
{
	struct tcphdr tcp = {
		.th_sport = htons(inet_address_port(&s->from)),
		.th_dport = htons(inet_address_port(&s->to)),
		.th_seq = htonl(s->seq),
		.th_ack = htonl(s->ack),
		.th_off = sizeof(tcp) / 4,
		.th_flags = TH_ACK | (s->fin ? TH_FIN : 0) | (s->rst ? TH_RST : 0),
		.th_win = htons(s->window),
	};

	return raw_ip_send(&s->from, &s->to, IPPROTO_TCP, &tcp, sizeof(tcp), offsetof(struct tcphdr, th_sum));
}
