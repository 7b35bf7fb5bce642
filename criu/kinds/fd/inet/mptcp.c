// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multipath TCP (RFC 8684). Go creates every listening socket as one (since 1.24); what it accepts from other clients
 * is plain TCP. Connections have no repair mode: their queued data and keys cannot be read.
 */
#include "kinds/fd/inet/mptcp.h"
#include <poll.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/state.h"
#include "kinds/fd/inet/tcp_save.h"

static void refuse(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry, const char *what)
{
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;

	inet_entry_source(entry, &from);
	inet_entry_target(entry, &to);
	dump_blocker(
		dump, probe->task, probe->fd,
		"%s: %s of Multipath TCP (MPTCP), from %s to %s, is not supported, only listening sockets are; run the "
		"program with plain TCP (Go: GODEBUG=multipathtcp=0; otherwise without IPPROTO_MPTCP or mptcpize), or "
		"have it closed with --tcp-close",
		probe->link, what, inet_address_text(&from, src), inet_address_text(&to, dst));
}

static int save_closed(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local, .events = POLLRDHUP };
	bool known, failed, ended;
	struct sock_memory m = { 0 };
	char byte;

	failed = poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
	ended = p.revents & POLLRDHUP;
	known = !inet_memory_of(dump, probe, entry, &m);
	inet_set_shutdown(entry, known ? m.shutdown : ended ? SK_SHUTDOWN__BOTH : 0);
	/* With a pending error, recv(2) would clear it. SIOCINQ reports 1 for an empty queue. */
	if (dump->opts->tcp_close ||
	    (!failed && !m.error && !m.connecting && recv(probe->local, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1))
		return 0;
	refuse(dump, probe, entry, "an ended connection with unread data or a pending error,");
	return 0;
}

int mptcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info)
{
	switch (entry->state) {
	case TCP_CLOSE:
		return save_closed(dump, probe, entry);
	case TCP_LISTEN:
		return tcp_save_listening(dump, probe, entry, info);
	default:
		break;
	}
	if (dump->opts->tcp_close)
		return tcp_save_as_closed(dump, entry);
	refuse(dump, probe, entry, "a connection");
	return 0;
}
