// SPDX-License-Identifier: GPL-2.0-only
/* Options whose effect is not in their value: keys, and protocols that another program has attached to a socket. */
#include "kinds/fd/inet/options_refuse.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/state.h"

#define TCP_SAVED_SYN_ 28
#define TCP_AO_INFO_ 40
#define MSG_PROBE_ 0x10

/* Of an established connection (IP_RECVERR, SO_TIMESTAMPING, MSG_ZEROCOPY). Reading would remove them. */
static void warn_of_errors(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local };
	struct sock_memory m;

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		return;
	if (!inet_memory_of(dump, probe, entry, &m) && m.error)
		log_warn("%s: its pending error (SO_ERROR: %s) is lost", probe->link, strerror(m.error));
	else
		log_warn("%s: a pending error or timestamp (SO_ERROR, MSG_ERRQUEUE) is lost", probe->link);
}

static void refuse_tcp(struct dump *dump, const struct fd_probe *probe)
{
	char ao[256] = "";
	socklen_t len = sizeof(ao), none = 0;

	if (!getsockopt(probe->local, SOL_TCP, TCP_AO_INFO_, ao, &len))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a TCP socket with keys (TCP_AO_ADD_KEY), which the kernel does not return; close it",
			     probe->link);
	/* If the buffer is too small it returns the size and keeps the headers. net/ipv4/tcp.c */
	if (getsockopt(probe->local, SOL_TCP, TCP_SAVED_SYN_, NULL, &none) < 0 && none)
		log_warn("%s: the saved headers of its SYN (TCP_SAVE_SYN) are lost: they cannot be restored",
			 probe->link);
}

static int number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

static bool is_udp(const InetSkEntry *entry)
{
	return entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE;
}

/*
 * A datagram that is being assembled takes more data whatever address is given, before the kernel looks at that; any other does
 * not, for port 0. MSG_PROBE adds nothing, and nothing is sent. net/ipv4/udp.c, net/ipv6/udp.c
 */
static bool is_assembling(int fd, int family)
{
	struct sockaddr_in6 nowhere = { .sin6_family = (sa_family_t)family };
	socklen_t len = family == AF_INET6 ? sizeof(nowhere) : sizeof(struct sockaddr_in);

	return sendto(fd, "", 0, MSG_PROBE_ | MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&nowhere,
		      len) == 0 ||
	       errno != EINVAL;
}

/* The send queue's memory includes packets already in flight: only kernel memory shows which, except for UDP. */
static void refuse_unsent(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	const char *what = "an incomplete datagram (UDP_CORK, MSG_MORE), which cannot be read";
	struct sock_memory m;
	int memory = 0;

	if (ioctl(probe->local, SIOCOUTQ, &memory) < 0 || !memory)
		return;
	if (inet_memory_of(dump, probe, entry, &m) < 0) {
		m.unsent = !is_udp(entry) || is_assembling(probe->local, (int)entry->family);
		if (!is_udp(entry))
			what = "packets in flight, or an incomplete datagram (MSG_MORE), which only kernel memory shows";
	}
	if (m.unsent)
		dump_transient_blocker(dump, probe->task, probe->fd, "%s: has %s; let the program send it", probe->link,
				       what);
}

static void refuse_udp(struct dump *dump, const struct fd_probe *probe)
{
	int encap = number(probe->local, IPPROTO_UDP, UDP_ENCAP);

	if (encap && encap != UDP_ENCAP_ESPINUDP)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: carries packets of another protocol in the kernel (UDP_ENCAP %d: a tunnel of L2TP, GTP or "
			"similar), which the kernel does not describe; end the tunnel first",
			probe->link, encap);
}

static void refuse_raw(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	if (entry->family == AF_INET6 && number(probe->local, SOL_IPV6, IPV6_ROUTER_ALERT))
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: receives packets with a router alert (IPV6_ROUTER_ALERT), and the kernel does not report "
			"which value; close it",
			probe->link);
}

void inet_options_refuse(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	if (entry->type != SOCK_STREAM)
		refuse_unsent(dump, probe, entry);
	else if (entry->state != TCP_CLOSE && entry->state != TCP_LISTEN && entry->state != TCP_SYN_SENT)
		warn_of_errors(dump, probe, entry);
	/* An ended socket, or one closed by --tcp-close, sends no more. */
	if (entry->type == SOCK_STREAM && !(entry->state == TCP_CLOSE && entry->has_shutdown))
		refuse_tcp(dump, probe);
	if (entry->type == SOCK_RAW)
		refuse_raw(dump, probe, entry);
	if (is_udp(entry))
		refuse_udp(dump, probe);
}
