// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/option_table.h"
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "base/bits.h"

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

/* Numeric values where libc may not have the name yet. include/uapi/linux/in.h, in6.h, tcp.h, udp.h */
static const struct inet_option numbers[] = {
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

/* Of any length; written as they were read. */
static const struct inet_option values[] = {
	ANY(SOL_IP, IP_OPTIONS),
	ANY(SOL_IPV6, IPV6_HOPOPTS),
	ANY(SOL_IPV6, IPV6_RTHDRDSTOPTS),
	ANY(SOL_IPV6, IPV6_RTHDR),
	ANY(SOL_IPV6, IPV6_DSTOPTS),
	ANY(SOL_TCP, TCP_CONGESTION),
	ANY(SOL_TCP, 33 /* TCP_FASTOPEN_KEY */),
};

const struct inet_option_table inet_number_options = { numbers, ARRAY_SIZE(numbers) };
const struct inet_option_table inet_value_options = { values, ARRAY_SIZE(values) };

const struct inet_option *inet_option_find(const struct inet_option_table *table, int level, int name)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->rows[i].level == level && table->rows[i].name == name)
			return &table->rows[i];
	return NULL;
}

bool inet_option_get(int fd, int level, int name, int *ret_value)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, name, &value, &len) < 0 || !len || len > sizeof(value))
		return false;
	*ret_value = value;
	return true;
}
