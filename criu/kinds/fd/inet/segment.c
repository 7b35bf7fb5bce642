// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/segment.h"
#include "kinds/fd/inet/crafted.h"

int segment_send(const struct segment *s)
{
	size_t len = LIBNET_TCP_H + s->len;
	uint8_t flags = TH_ACK | (s->fin ? TH_FIN : 0) | (s->rst ? TH_RST : 0) | (s->urgent ? TH_URG : 0);
	struct crafted_ip ip = { .from = &s->from, .to = &s->to, .protocol = IPPROTO_TCP, .len = len };
	_cleanup_crafted_ struct crafted c = { 0 };
	int err = crafted_begin(&c);

	if (err)
		return err;
	/*
	 * The meaning of the urgent pointer has been disputed (RFC 6093); 0 means the first byte in every
	 * interpretation.
	 */
	if (c.net->build_tcp(inet_address_port(&s->from), inet_address_port(&s->to), s->seq, s->ack, flags, s->window,
			     0, 0, len, s->data, s->len, c.context, 0) < 0)
		return crafted_failed(&c);
	return crafted_send(&c, &ip);
}
