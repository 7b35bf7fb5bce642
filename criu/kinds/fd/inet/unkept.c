// SPDX-License-Identifier: GPL-2.0-only
/* Options whose meaning does not lie in their value: keys, and protocols that somebody else has put upon a socket. */
#include "kinds/fd/inet/unkept.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/state.h"

#define TCP_SAVED_SYN_ 28
#define TCP_AO_INFO_ 40

/* Of a connection that lives (IP_RECVERR, SO_TIMESTAMPING, MSG_ZEROCOPY). Reading takes it away. */
static void warn_of_errors(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local };
	struct sock_memory m;

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		return;
	if (!inet_memory_of(dump, probe, entry, &m) && m.error)
		log_warn("%s: an error waits in it (SO_ERROR: %s): it is lost", probe->link, strerror(m.error));
	else
		log_warn("%s: an error or a timestamp waits in it (SO_ERROR, MSG_ERRQUEUE): it is lost", probe->link);
}

static void refuse_tcp(struct dump *dump, const struct fd_probe *probe)
{
	char ao[256] = "";
	socklen_t len = sizeof(ao), none = 0;

	if (!getsockopt(probe->local, SOL_TCP, TCP_AO_INFO_, ao, &len))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a TCP socket with keys (TCP_AO_ADD_KEY), which the kernel does not give back: close "
			     "it",
			     probe->link);
	/* With too little room it tells the size, and keeps what it has. net/ipv4/tcp.c */
	if (getsockopt(probe->local, SOL_TCP, TCP_SAVED_SYN_, NULL, &none) < 0 && none)
		log_warn("%s: the headers of its SYN (TCP_SAVE_SYN) are lost: nothing puts them back", probe->link);
}

static int number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

/* Memory of what is sent is also that of packets on their way: only the kernel's memory tells which. */
static void refuse_unsent(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	struct sock_memory m;
	int memory = 0;

	if (ioctl(probe->local, SIOCOUTQ, &memory) < 0 || !memory)
		return;
	if (inet_memory_of(dump, probe, entry, &m) < 0)
		m.unsent = entry->type == SOCK_DGRAM && number(probe->local, IPPROTO_UDP, UDP_CORK);
	if (m.unsent)
		dump_transient_blocker(
			dump, probe->task, probe->fd,
			"%s: a datagram is being put together (UDP_CORK, MSG_MORE) and cannot be read: let the program "
			"send it",
			probe->link);
}

static void refuse_udp(struct dump *dump, const struct fd_probe *probe)
{
	int encap = number(probe->local, IPPROTO_UDP, UDP_ENCAP);

	if (encap && encap != UDP_ENCAP_ESPINUDP)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: it carries packets of another protocol in the kernel (UDP_ENCAP %d: a tunnel of L2TP, GTP or the "
			"like), which does not tell whose: end the tunnel first",
			probe->link, encap);
}

static void refuse_raw(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	if (entry->family == AF_INET6 && number(probe->local, SOL_IPV6, IPV6_ROUTER_ALERT))
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: it takes packets with a router alert (IPV6_ROUTER_ALERT), and the kernel does not tell of which "
			"kind: close it",
			probe->link);
}

void inet_options_refuse(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	if (entry->type != SOCK_STREAM)
		refuse_unsent(dump, probe, entry);
	else if (entry->state != TCP_CLOSE && entry->state != TCP_LISTEN && entry->state != TCP_SYN_SENT)
		warn_of_errors(dump, probe, entry);
	/* One that is over, or closed by --tcp-close, speaks no more. */
	if (entry->type == SOCK_STREAM && !(entry->state == TCP_CLOSE && entry->has_shutdown))
		refuse_tcp(dump, probe);
	if (entry->type == SOCK_RAW)
		refuse_raw(dump, probe, entry);
	if (entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE)
		refuse_udp(dump, probe);
}
