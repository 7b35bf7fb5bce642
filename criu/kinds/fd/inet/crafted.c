// SPDX-License-Identifier: GPL-2.0-only
/*
 * libnet builds headers and checksums, without a device (LIBNET_NONE). It is not used for sending: its raw IPv4 sockets
 * grow their buffer by 128 bytes a call until the kernel refuses (6,500 calls of setsockopt(2) each), and its IPv6
 * packets have no scope.
 */
#include "kinds/fd/inet/crafted.h"
#include <errno.h>
#include <string.h>
#include "netfilter/nft_lock.h"
#include "util/fds.h"
#include "util/log.h"

#define HOP_LIMIT 64

int crafted_begin(struct crafted *c)
{
	char error[LIBNET_ERRBUF_SIZE] = "";

	*c = (struct crafted){ .net = libnet_load() };
	if (!c->net)
		return -ELIBACC;
	c->context = c->net->init(LIBNET_NONE, NULL, error);
	return c->context ? 0 : fail(-ENOMEM, "libnet: %s", error);
}

void crafted_free(struct crafted *c)
{
	if (c->context)
		c->net->destroy(c->context);
	c->context = NULL;
}

int crafted_failed(const struct crafted *c)
{
	return fail(-EINVAL, "libnet: %s", c->net->geterror(c->context));
}

static bool is_v4(const struct crafted_ip *ip)
{
	return ip->to->any.sa_family == AF_INET || inet_address_is_mapped(ip->to);
}

int crafted_add_ip(struct crafted *c, const struct crafted_ip *ip, const void *payload)
{
	size_t payload_len = payload ? ip->len : 0, len = ip->len;
	struct libnet_in6_addr from, to;
	libnet_ptag_t tag;

	if (is_v4(ip)) {
		len += LIBNET_IPV4_H;
		if (len > UINT16_MAX)
			return -EMSGSIZE;
		/* The kernel replaces an identification of 0. raw(7) */
		tag = c->net->build_ipv4(len, 0, 0, 0, HOP_LIMIT, ip->protocol, 0, inet_address_v4(ip->from),
					 inet_address_v4(ip->to), payload, payload_len, c->context, 0);
	} else {
		if (len > UINT16_MAX)
			return -EMSGSIZE;
		memcpy(&from, &ip->from->v6.sin6_addr, sizeof(from));
		memcpy(&to, &ip->to->v6.sin6_addr, sizeof(to));
		tag = c->net->build_ipv6(0, 0, len, ip->protocol, HOP_LIMIT, from, to, payload, payload_len, c->context,
					 0);
	}
	return tag < 0 ? crafted_failed(c) : 0;
}

int crafted_bytes(struct crafted *c, uint8_t **ret_bytes, uint32_t *ret_len)
{
	uint8_t *bytes = NULL;
	uint32_t len = 0;

	/* libnet_adv_cull_packet(), a wrapper of this function, requires a context with a device. */
	if (c->net->pblock_coalesce(c->context, &bytes, &len) < 0)
		return crafted_failed(c);
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

void crafted_release(struct crafted *c, uint8_t *bytes)
{
	c->net->adv_free_packet(c->context, bytes);
}

/*
 * libnet computes the checksum of UDP-Lite with the protocol number of UDP, so add the difference (RFC 1624). It also
 * leaves a sum of 0, which means "no checksum"; all ones is the same number (RFC 768).
 */
static void correct_udp_checksum(uint8_t *udp, bool lite)
{
	uint16_t sum;
	uint32_t n;

	memcpy(&sum, udp + offsetof(struct libnet_udp_hdr, uh_sum), sizeof(sum));
	n = (uint16_t)~sum + (lite ? htons(IPPROTO_UDPLITE - IPPROTO_UDP) : 0u);
	sum = ~((n & 0xffff) + (n >> 16));
	sum = sum ? sum : 0xffff;
	memcpy(udp + offsetof(struct libnet_udp_hdr, uh_sum), &sum, sizeof(sum));
}

static int send_bytes(const struct crafted_ip *ip, uint8_t *bytes, size_t len)
{
	union inet_address to = *ip->to;
	struct iovec iov = { bytes, len };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1 };
	_cleanup_close_ int fd = -1;
	int mark = NFT_LOCK_MARK;

	if (is_v4(ip))
		to = (union inet_address){ .v4 = { .sin_family = AF_INET,
						   .sin_addr.s_addr = inet_address_v4(ip->to) } };
	else
		to.v6.sin6_port = 0;
	msg.msg_namelen = inet_address_len(&to);
	fd = socket(to.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 || sendmsg(fd, &msg, 0) < 0)
		return -errno;
	return 0;
}

int crafted_send(struct crafted *c, const struct crafted_ip *ip)
{
	size_t head = is_v4(ip) ? LIBNET_IPV4_H : LIBNET_IPV6_H;
	uint8_t *bytes = NULL; /* owned by libnet */
	uint32_t len = 0;
	int err = crafted_add_ip(c, ip, NULL);

	if (!err)
		err = crafted_bytes(c, &bytes, &len);
	if (err)
		return err;
	if (ip->protocol == IPPROTO_UDP || ip->protocol == IPPROTO_UDPLITE)
		correct_udp_checksum(bytes + head, ip->protocol == IPPROTO_UDPLITE);
	err = send_bytes(ip, bytes, len);
	crafted_release(c, bytes);
	return err;
}
