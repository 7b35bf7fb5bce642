// SPDX-License-Identifier: GPL-2.0-only
/* A socket, for criu ps. */
#include "kinds/fd/inet/describe.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "run/describe.h"
#include "util/hash.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static const char *protocol_of(const InetSkEntry *sk)
{
	switch (sk->proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_UDPLITE:
		return "UDP-Lite";
	case IPPROTO_MPTCP:
		return "MPTCP";
	}
	return sk->type == SOCK_RAW ? "raw IP" : "IP";
}

static const char *state_text(uint32_t state)
{
	static const char *const texts[] = {
		[TCP_ESTABLISHED] = "connected",
		[TCP_SYN_SENT] = "connecting",
		[TCP_SYN_RECV] = "being accepted",
		[TCP_FIN_WAIT1] = "closing",
		[TCP_FIN_WAIT2] = "closing",
		[TCP_TIME_WAIT] = "closed",
		[TCP_CLOSE_WAIT] = "closed by the peer",
		[TCP_LAST_ACK] = "closing",
		[TCP_LISTEN] = "listening",
		[TCP_CLOSING] = "closing",
	};

	return state < ARRAY_SIZE(texts) && texts[state] ? texts[state] : "";
}

struct endpoint {
	uint32_t address[4], port, family;
};

static struct endpoint endpoint_of(uint32_t family, const uint32_t *words, size_t n, uint32_t port)
{
	struct endpoint e = { .port = port, .family = family };

	memcpy(e.address, words, MIN_OF(n, (size_t)4) * sizeof(*words));
	return e;
}

static int add_endpoint(struct buf *to, const struct endpoint *e)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(e->family == AF_INET6 ? AF_INET6 : AF_INET, e->address, text, sizeof(text)))
		return 0;
	return buf_printf(to, e->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, e->port);
}

/* The same number from both ends. */
static uint64_t number_of(const struct endpoint *a, const struct endpoint *b)
{
	uint64_t x = hash_bytes(a, sizeof(*a)), y = hash_bytes(b, sizeof(*b));

	return hash_mix(MIN_OF(x, y)) ^ MAX_OF(x, y);
}

static void describe_connection(const InetSkEntry *sk, const struct endpoint *here, struct description *d)
{
	const struct endpoint there = endpoint_of(sk->family, sk->dst_addr, sk->n_dst_addr, sk->dst_port);

	describe_flow(d, protocol_of(sk), number_of(here, &there), O_RDWR);
	describe_add(d, " - ");
	if (!d->err)
		d->err = add_endpoint(&d->text, &there);
	if (!d->err)
		d->err = add_endpoint(&d->peer, &there);
}

void inet_describe(const FileEntry *entry, struct description *d)
{
	const InetSkEntry *sk = entry->isk;
	struct endpoint here;

	d->connects = true;
	if (!sk)
		return;
	here = endpoint_of(sk->family, sk->src_addr, sk->n_src_addr, sk->src_port);
	describe_add(d, "%s ", protocol_of(sk));
	if (!d->err)
		d->err = add_endpoint(&d->text, &here);
	if (sk->dst_port)
		describe_connection(sk, &here, d);
	if (*state_text(sk->state))
		describe_add(d, " %s", state_text(sk->state));
}
