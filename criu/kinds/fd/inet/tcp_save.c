// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP sockets while the tree is frozen: what can be saved, and how. Connections are read when all of them are known,
 * the network is locked and the tree is frozen (read.c).
 */
#include "kinds/fd/inet/tcp_save.h"
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/state.h"
#include "kinds/fd/inet/tcp_failed.h"
#include "kinds/fd/inet/tcp_keys.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "netlink/inet_diag.h"
#include "util/fds.h"

#define TCP_ULP_ 31

/* The kernel's own list of states; those that libc lacks have no descriptor. */
static bool is_connection(uint32_t state)
{
	return state == TCP_ESTABLISHED || tcp_sent_fin(state) || tcp_got_fin(state);
}

static bool is_read_shut_down(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP);
}

static void save_shutdown(const struct fd_probe *probe, InetSkEntry *entry)
{
	bool reading = is_read_shut_down(probe->local), writing = tcp_sent_fin(entry->state);

	/* A closed socket that is shut down for reading was connected once. */
	if (entry->state == TCP_CLOSE)
		writing = reading;
	entry->has_shutdown = reading || writing;
	entry->shutdown = (reading ? SK_SHUTDOWN__READ : 0) | (writing ? SK_SHUTDOWN__WRITE : 0);
}

int tcp_save_listening(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info)
{
	bool skip = dump->opts->skip_in_flight, close = dump->opts->tcp_close;
	char src[INET_TEXT_MAX];
	union inet_address address, no_peer = { .any.sa_family = entry->family };

	int err;

	/* For a listening socket these two are the lengths of its queue and its backlog. net/ipv4/tcp.c tcp_get_info */
	entry->backlog = info->tcpi_sacked;
	inet_entry_source(entry, &address);
	err = inet_is_mptcp(entry) ? 0 : tcp_keys_save(dump, probe, entry, &address, &no_peer);
	if (err)
		return err;
	if (info->tcpi_unacked && (skip || close))
		log_warn("%s: %u unaccepted connections are left out (%s)", inet_address_text(&address, src),
			 info->tcpi_unacked, skip ? "--skip-in-flight" : "--tcp-close");
	if (!info->tcpi_unacked && (dump_is_check(dump) || !inet_tree_ends(dump)))
		return 0;
	return inet_backlog_note(dump, probe, entry, info->tcpi_unacked, skip || close);
}

static int diag_target(const struct fd_probe *probe, const InetSkEntry *entry, union inet_address *dst)
{
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;
	int err = inet_diag_read(entry->family, IPPROTO_TCP, BIT(TCP_SYN_SENT), entry->src_port, &all);

	if (!err)
		err = -ENOENT;
	array_for_each(sk, &all) {
		if (sk->ino != probe->st.st_ino)
			continue;
		err = 0;
		if (entry->family == AF_INET) {
			dst->v4.sin_port = htons(sk->dst_port);
			dst->v4.sin_addr.s_addr = sk->dst[0];
		} else {
			dst->v6.sin6_port = htons(sk->dst_port);
			dst->v6.sin6_scope_id = sk->interface;
			memcpy(&dst->v6.sin6_addr, sk->dst, sizeof(sk->dst));
		}
	}
	array_free(&all);
	return err ? fail(err, "peer address of a connecting socket (sock_diag)") : 0;
}

static int addresses_of(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, union inet_address *src,
			union inet_address *dst)
{
	int err;

	inet_entry_source(entry, src);
	inet_entry_target(entry, dst);
	if (entry->state != TCP_SYN_SENT)
		return 0;
	err = diag_target(probe, entry, dst);
	return err ? err : inet_entry_set(dump, entry, src, dst);
}

static int hold_connection(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	char ulp[16] = "", src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;
	struct inet_held *held;
	socklen_t len = sizeof(ulp);
	int err = addresses_of(dump, probe, entry, &from, &to);

	if (err)
		return err;
	inet_address_text(&from, src);
	inet_address_text(&to, dst);
	if (!dump->opts->tcp_established) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a TCP connection from %s to %s; keep it with --tcp-established, or have it closed with "
			"--tcp-close",
			probe->link, src, dst);
		return 0;
	}
	if (!getsockopt(probe->local, SOL_TCP, TCP_ULP_, ulp, &len) && len && ulp[0]) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: the connection from %s to %s is processed by the kernel (%s), which does not reveal its "
			"keys; have it closed with --tcp-close",
			probe->link, src, dst, ulp);
		return 0;
	}
	dump_need_right(dump, probe->task, probe, RIGHT_NET_ADMIN, "a TCP connection (--tcp-close)");
	held = inet_hold(dump, probe, entry, KEEPER_STREAM);
	if (!held)
		return -ENOMEM;
	held->src = from;
	held->dst = to;
	return tcp_keys_save(dump, probe, entry, &from, &to);
}

int tcp_save_as_closed(struct dump *dump, InetSkEntry *entry)
{
	union inet_address none = { .any.sa_family = entry->family };

	entry->state = TCP_CLOSE;
	entry->has_shutdown = true;
	entry->shutdown = SK_SHUTDOWN__BOTH;
	return inet_entry_set(dump, entry, &none, &none);
}

/*
 * When kernel memory cannot be read: the error of a socket that was connected is nearly always the peer's reset.
 */
static void guess_error(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, bool was_connected)
{
	struct pollfd p = { .fd = probe->local, .events = POLLIN };

	save_shutdown(probe, entry);
	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		return;
	entry->has_error = was_connected;
	entry->error = was_connected ? ECONNRESET : 0;
	if (!was_connected)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a TCP socket whose connect(2) has failed, and the error can only be read from the "
			"kernel's memory, which is not accessible; let the program query it (SO_ERROR), or run as root",
			probe->link);
}

static void save_error(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct sock_memory *m)
{
	bool failed = m->connecting, kept = !m->error || m->error == ECONNRESET || m->error == EPIPE;

	inet_set_shutdown(entry, m->shutdown);
	entry->has_holds_port = entry->holds_port = m->port && m->shutdown == SK_SHUTDOWN__BOTH;
	entry->has_connect_failed = entry->connect_failed = failed;
	entry->has_error = m->error != 0;
	entry->error = m->error;
	if (failed)
		kept = tcp_can_fail_with(entry, m->error);
	if (!kept)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a pending error of a TCP socket that cannot be reproduced (SO_ERROR: %s); let the program "
			"query it",
			probe->link, strerror(m->error));
}

static int save_closed_keys(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	union inet_address src, no_peer = { .any.sa_family = entry->family };
	int err;

	inet_entry_source(entry, &src);
	err = tcp_keys_save(dump, probe, entry, &src, &no_peer);
	if (!err && !entry->n_md5)
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a TCP socket with keys (TCP_MD5SIG), which cannot be read unless it listens or is "
			     "connected; close it",
			     probe->link);
	return err;
}

/* An ended connection: its unread data, and the error that reads then return, once. */
static int save_closed(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info)
{
	struct sock_memory m = { 0 };
	struct inet_held *held;
	int waiting = 0, err = 0;

	if (inet_memory_of(dump, probe, entry, &m) < 0)
		guess_error(dump, probe, entry, info->tcpi_rtt || info->tcpi_options);
	else
		save_error(dump, probe, entry, &m);
	if (m.has_md5 && m.shutdown != SK_SHUTDOWN__BOTH)
		err = save_closed_keys(dump, probe, entry);
	if (err || ioctl(probe->local, SIOCINQ, &waiting) < 0 || (waiting <= 0 && !tcp_has_urgent(probe->local)))
		return err;
	if (tcp_has_urgent(probe->local))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: unread urgent data (MSG_OOB) in an ended connection; let the program read it",
			     probe->link);
	entry->has_unread = true;
	entry->unread = waiting;
	if (dump_is_check(dump))
		return 0;
	held = inet_hold(dump, probe, entry, KEEPER_BYTES);
	if (held)
		held->bytes = waiting;
	return held ? 0 : -ENOMEM;
}

int tcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info)
{
	switch (entry->state) {
	case TCP_CLOSE:
		return save_closed(dump, probe, entry, info);
	case TCP_LISTEN:
		return tcp_save_listening(dump, probe, entry, info);
	case TCP_SYN_SENT:
		return dump->opts->tcp_close ? tcp_save_as_closed(dump, entry) : hold_connection(dump, probe, entry);
	default:
		break;
	}
	if (!is_connection(entry->state)) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a TCP connection is being established (state %u); try again", probe->link,
			     entry->state);
		return 0;
	}
	if (dump->opts->tcp_close)
		return tcp_save_as_closed(dump, entry);
	save_shutdown(probe, entry);
	return hold_connection(dump, probe, entry);
}

void tcp_close_silently(struct inet_dump *data)
{
	for (struct inet_held *held = data->first; held; held = held->next) {
		int err = held->what == KEEPER_STREAM ? tcp_repair(held->local, TCP_REPAIR_ON) : 0;

		if (err)
			log_warn("a connection will send a FIN or RST to its peer: errno %d", -err);
		close(steal_fd(&held->local));
	}
}
