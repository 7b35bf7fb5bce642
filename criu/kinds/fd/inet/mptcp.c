// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multipath TCP (RFC 8684). Go makes every listening socket one (since 1.24); what it accepts from others is plain TCP.
 * A connection has no repair mode: what waits in it, and its keys, lie in the kernel.
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
		"%s: %s of Multipath TCP (MPTCP), from %s to %s, cannot be saved, only sockets that listen: run the "
		"program with plain TCP (Go: GODEBUG=multipathtcp=0; else without IPPROTO_MPTCP or mptcpize), or have it "
		"closed by --tcp-close",
		probe->link, what, inet_address_text(&from, src), inet_address_text(&to, dst));
}

static int save_closed(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local, .events = POLLRDHUP };
	bool known, failed, over;
	struct sock_memory m = { 0 };
	char byte;

	failed = poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
	over = p.revents & POLLRDHUP;
	known = !inet_memory_of(dump, probe, entry, &m);
	inet_set_shutdown(entry, known ? m.shutdown : over ? SK_SHUTDOWN__BOTH : 0);
	/* With an error it would take that away. SIOCINQ says 1 of an empty one. */
	if (dump->opts->tcp_close ||
	    (!failed && !m.error && !m.connecting && recv(probe->local, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1))
		return 0;
	refuse(dump, probe, entry, "a connection that is over, and has not told everything yet,");
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
		return tcp_forget_connection(dump, entry);
	refuse(dump, probe, entry, "a connection");
	return 0;
}
