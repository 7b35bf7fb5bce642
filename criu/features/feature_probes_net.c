// SPDX-License-Identifier: GPL-2.0-only
/* Probes of sockets and network devices. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "features/feature_probes.h"
#include "netfilter/nft_lock.h"
#include "netlink/inet_diag.h"
#include "util/fds.h"

#define IOC_SK_NS 0x894c /* SIOCGSKNS */
#define BUF_LOCK 72 /* SO_BUF_LOCK */

int probe_tun_ns(void)
{
	_cleanup_close_ int tun = open_at(AT_FDCWD, "/dev/net/tun", O_RDWR, 0);

	if (tun < 0)
		return 0;
	_cleanup_close_ int ns = ioctl(tun, IOC_SK_NS);
	return ns >= 0;
}

int probe_net_diag_raw(void)
{
	return inet_diag_lists(AF_INET, IPPROTO_RAW);
}

int probe_sockopt_buf_lock(void)
{
	_cleanup_close_ int sk = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(int);
	int locks;

	if (sk < 0)
		return -errno;
	return !getsockopt(sk, SOL_SOCKET, BUF_LOCK, &locks, &len);
}

/* Older kernels allow repair mode only for fully open connections. */
int probe_tcp_half_closed(void)
{
	_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int on = 1;

	if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(client, (struct sockaddr *)&addr, sizeof(addr)) < 0 || shutdown(client, SHUT_WR) < 0)
		return -errno;
	return !setsockopt(client, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
}

static int see_nothing(const char *table, bool owned, void *arg)
{
	return 0;
}

int probe_nftables(void)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;

	return !nft_open(&netlink) && !nft_lock_each(netlink, see_nothing, NULL);
}
