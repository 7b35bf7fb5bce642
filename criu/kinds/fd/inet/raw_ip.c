// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/raw_ip.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "netfilter/nft_lock.h"
#include "util/fds.h"

/* The sum of 16 bit words; an odd last byte counts as if a zero followed. RFC 1071 */
static uint32_t add_words(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint16_t word;

	for (; len > 1; len -= 2, p += 2) {
		memcpy(&word, p, 2);
		sum += word;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, 1);
		sum += word;
	}
	return (sum & 0xffff) + (sum >> 16);
}

/* Over pseudo header and data; ICMP of IPv4 has no such header. RFC 9293, RFC 768, RFC 792, RFC 8200 */
static uint16_t checksum(const void *from, const void *to, size_t address_len, int protocol, const void *data,
			 size_t len)
{
	uint32_t tail[2] = { htonl(len), htonl(protocol) };
	uint32_t sum = 0;
	uint16_t result;

	if (protocol != IPPROTO_ICMP) {
		sum = add_words(sum, from, address_len);
		sum = add_words(sum, to, address_len);
		sum = add_words(sum, tail, sizeof(tail));
	}
	sum = add_words(sum, data, len);
	result = ~((sum & 0xffff) + (sum >> 16));
	/* UDP reads 0 as none; to TCP both are the same. */
	return result ? result : 0xffff;
}

static int send_packet(int family, const void *head, size_t head_len, void *data, size_t len,
		       const union inet_address *to)
{
	_cleanup_close_ int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct iovec iov[2] = { { (void *)head, head_len }, { data, len } };
	struct msghdr msg = {
		.msg_name = (void *)&to->any, .msg_namelen = inet_address_len(to), .msg_iov = iov, .msg_iovlen = 2
	};
	int mark = NFT_LOCK_MARK;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 || sendmsg(fd, &msg, 0) < 0)
		return -errno;
	return 0;
}

static int send_v4(const union inet_address *src, const union inet_address *dst, int protocol, char *data, size_t len,
		   size_t checksum_at)
{
	uint32_t from = inet_address_v4(src), to = inet_address_v4(dst);
	union inet_address target = { .v4 = { .sin_family = AF_INET, .sin_addr.s_addr = to } };
	/* The kernel fills in what is 0 of identification and checksum. raw(7) */
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = protocol, .saddr = from, .daddr = to };
	uint16_t sum = checksum(&from, &to, sizeof(from), protocol, data, len);

	if (len + sizeof(ip) > UINT16_MAX)
		return -EMSGSIZE;
	ip.tot_len = htons(sizeof(ip) + len);
	memcpy(data + checksum_at, &sum, sizeof(sum));
	return send_packet(AF_INET, &ip, sizeof(ip), data, len, &target);
}

static int send_v6(const union inet_address *src, const union inet_address *dst, int protocol, char *data, size_t len,
		   size_t checksum_at)
{
	struct ipv6hdr ip = { .version = 6, .payload_len = htons(len), .nexthdr = protocol, .hop_limit = 64 };
	union inet_address target = *dst;
	uint16_t sum;

	if (len > UINT16_MAX)
		return -EMSGSIZE;
	memcpy(&ip.saddr, &src->v6.sin6_addr, 16);
	memcpy(&ip.daddr, &dst->v6.sin6_addr, 16);
	sum = checksum(&ip.saddr, &ip.daddr, 16, protocol, data, len);
	memcpy(data + checksum_at, &sum, sizeof(sum));
	target.v6.sin6_port = 0;
	return send_packet(AF_INET6, &ip, sizeof(ip), data, len, &target);
}

int raw_ip_send(const union inet_address *from, const union inet_address *to, int protocol, void *data, size_t len,
		size_t checksum_at)
{
	bool v4 = to->any.sa_family == AF_INET || inet_address_is_mapped(to);

	return v4 ? send_v4(from, to, protocol, data, len, checksum_at) :
		    send_v6(from, to, protocol, data, len, checksum_at);
}
