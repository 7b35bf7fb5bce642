// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP sockets while the tree is frozen. A connection is read in repair mode, which is left again at once: whoever holds
 * the socket then would otherwise neither send nor say goodbye. Should we be killed inside those microseconds, it stays.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kernel/inet_diag.h"
#include "kinds/fd/inet/lock.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "util/fds.h"

#define TCP_ULP_ 31
#define SO_PEEK_OFF_ 42

/* The kernel's own list of states; those beyond libc's have no descriptor. */
static bool is_connection(uint32_t state)
{
	return state == TCP_ESTABLISHED || tcp_sent_fin(state) || tcp_got_fin(state);
}

static bool reads_no_more(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP);
}

static void save_shutdown(const struct fd_probe *probe, InetSkEntry *entry)
{
	bool reading = reads_no_more(probe->local), writing = tcp_sent_fin(entry->state);

	/* A closed one that reads no more was connected once. */
	if (entry->state == TCP_CLOSE)
		writing = reading;
	entry->has_shutdown = reading || writing;
	entry->shutdown = (reading ? SK_SHUTDOWN__READ : 0) | (writing ? SK_SHUTDOWN__WRITE : 0);
}

static void save_listening(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry,
			   const struct tcp_info *info)
{
	char src[INET_TEXT_MAX];
	union inet_address address;

	/* Of a listening socket these two are its queue and its backlog. net/ipv4/tcp.c tcp_get_info */
	entry->backlog = info->tcpi_sacked;
	if (!info->tcpi_unacked)
		return;
	inet_entry_source(entry, &address);
	if (dump->opts->skip_in_flight)
		log_warn("pid %d: fd %d: %s: %u connections that nobody has accepted are left out (--skip-in-flight)",
			 probe->task->t.pid, probe->fd, inet_address_text(&address, src), info->tcpi_unacked);
	else
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: %u connection(s) to %s wait to be accepted, and only the program can take them: dump when it "
			"has, or leave them out by --skip-in-flight",
			probe->link, info->tcpi_unacked, inet_address_text(&address, src));
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
	return err ? fail(err, "where a socket connects to (sock_diag)") : 0;
}

static int addresses_of(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, struct inet_held *held)
{
	int err;

	inet_entry_source(entry, &held->src);
	inet_entry_target(entry, &held->dst);
	if (entry->state != TCP_SYN_SENT)
		return 0;
	err = diag_target(probe, entry, &held->dst);
	return err ? err : inet_entry_set(dump, entry, &held->src, &held->dst);
}

static int hold(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_held *held = dump_alloc(dump, sizeof(*held));
	char ulp[16] = "", src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	socklen_t len = sizeof(ulp);
	int err;

	if (!held)
		return fail(-ENOMEM, "connection");
	*held = (struct inet_held){ .entry = entry, .task = probe->task, .fd = probe->fd, .local = -1 };
	err = addresses_of(dump, probe, entry, held);
	if (err)
		return err;
	inet_address_text(&held->src, src);
	inet_address_text(&held->dst, dst);
	if (!dump->opts->tcp_established) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a TCP connection from %s to %s: keep it by --tcp-established, or have it closed by --tcp-close",
			probe->link, src, dst);
		return 0;
	}
	if (!getsockopt(probe->local, SOL_TCP, TCP_ULP_, ulp, &len) && len && ulp[0]) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: the kernel works on the connection from %s to %s (%s) and does not tell its keys: have it closed "
			"by --tcp-close",
			probe->link, src, dst, ulp);
		return 0;
	}
	if (dump->checking)
		return 0;
	held->local = dup_fd_above(probe->local, 3);
	if (held->local < 0)
		return fail(held->local, "keep a connection");
	*data->end = held;
	data->end = &held->next;
	data->nr++;
	return 0;
}

static int forget_connection(struct dump *dump, InetSkEntry *entry)
{
	union inet_address none = { .any.sa_family = entry->family };

	entry->state = TCP_CLOSE;
	entry->has_shutdown = true;
	entry->shutdown = SK_SHUTDOWN__BOTH;
	return inet_entry_set(dump, entry, &none, &none);
}

int tcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info)
{
	int waiting = 0;

	switch (entry->state) {
	case TCP_CLOSE:
		save_shutdown(probe, entry);
		if (!ioctl(probe->local, SIOCINQ, &waiting) && waiting)
			log_warn("pid %d: fd %d: %s: %d bytes of a connection that is over are lost",
				 probe->task->t.pid, probe->fd, probe->link, waiting);
		return 0;
	case TCP_LISTEN:
		save_listening(dump, probe, entry, info);
		return 0;
	case TCP_SYN_SENT:
		return dump->opts->tcp_close ? forget_connection(dump, entry) : hold(dump, probe, entry);
	default:
		break;
	}
	if (!is_connection(entry->state)) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a TCP connection that is just being made (state %u): try again", probe->link,
			     entry->state);
		return 0;
	}
	if (dump->opts->tcp_close)
		return forget_connection(dump, entry);
	save_shutdown(probe, entry);
	return hold(dump, probe, entry);
}

/* ---- what only a locked, frozen connection tells ---- */

struct stream {
	TcpStreamEntry entry;
	char *inq, *outq;
};

static int number(int fd, int level, int name, uint32_t *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, level, name, ret, &len) < 0 ? -errno : 0;
}

/* From its beginning, wherever the program peeks. */
static int peek(int fd, char *to, uint32_t len)
{
	int offset = -1, none = -1;
	socklen_t size = sizeof(offset);
	uint32_t done = 0;

	if (!len)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset, &size) < 0)
		offset = -1;
	if (offset >= 0)
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF_, &none, sizeof(none));
	done = MAX_OF(recv(fd, to, len, MSG_PEEK | MSG_DONTWAIT), 0);
	if (offset >= 0)
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset, sizeof(offset));
	return done == len ? 0 : -ENODATA;
}

/* In repair mode. */
static int read_repaired(int fd, struct stream *s)
{
	struct tcp_repair_window window;
	socklen_t len = sizeof(window);
	TcpStreamEntry *e = &s->entry;
	int err = tcp_repair_queue(fd, TCP_RECV_QUEUE);

	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &e->inq_seq);
	if (!err)
		err = tcp_repair_queue(fd, TCP_SEND_QUEUE);
	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &e->outq_seq);
	if (!err)
		err = peek(fd, s->outq, e->outq_len);
	if (!err)
		err = number(fd, SOL_TCP, TCP_MAXSEG, &e->mss_clamp);
	if (!err)
		err = number(fd, SOL_TCP, TCP_TIMESTAMP, &e->timestamp);
	/* Only those that have sent and received have a window. */
	if (err || getsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, &len) < 0)
		return err;
	e->has_snd_wl1 = e->has_snd_wnd = e->has_max_window = e->has_rcv_wnd = e->has_rcv_wup = true;
	e->snd_wl1 = window.snd_wl1;
	e->snd_wnd = window.snd_wnd;
	e->max_window = window.max_window;
	e->rcv_wnd = window.rcv_wnd;
	e->rcv_wup = window.rcv_wup;
	return 0;
}

static int read_sizes(const struct inet_held *held, struct stream *s)
{
	TcpStreamEntry *e = &s->entry;
	uint32_t state = held->entry->state;
	int in, out, unsent;

	if (state == TCP_SYN_SENT)
		return 0;
	if (ioctl(held->local, SIOCINQ, &in) < 0 || ioctl(held->local, SIOCOUTQ, &out) < 0 ||
	    ioctl(held->local, SIOCOUTQNSD, &unsent) < 0)
		return -errno;
	/* A FIN that waits for its answer counts as one byte. */
	if (tcp_sent_fin(state) && state != TCP_FIN_WAIT2) {
		out--;
		unsent -= unsent > 0;
	}
	if (in < 0 || out < 0 || unsent < 0 || unsent > out)
		return -EPROTO;
	e->inq_len = in;
	e->outq_len = out;
	e->has_unsq_len = true;
	e->unsq_len = unsent;
	return 0;
}

static int read_stream(const struct inet_held *held, struct stream *s)
{
	int reuse = held->entry->opts->reuseaddr, fd = held->local, err = read_sizes(held, s), left;
	TcpStreamEntry *e = &s->entry;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (err || getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) < 0)
		return err ? err : -errno;
	e->opt_mask = info.tcpi_options & TCP_OPTIONS_KEPT;
	e->snd_wscale = info.tcpi_snd_wscale;
	e->rcv_wscale = info.tcpi_rcv_wscale;
	e->has_rcv_wscale = true;
	e->has_timestamp = true;
	s->inq = malloc(e->inq_len + 1);
	s->outq = malloc(e->outq_len + 1);
	if (!s->inq || !s->outq)
		return -ENOMEM;
	err = peek(fd, s->inq, e->inq_len);
	if (err)
		return err;
	err = tcp_repair(fd, TCP_REPAIR_ON);
	if (err)
		return err;
	err = read_repaired(fd, s);
	left = tcp_repair(fd, TCP_REPAIR_OFF_NO_WP);
	/* Leaving it forgets this one. */
	if (!left && reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0)
		left = -errno;
	return err ? err : left;
}

static int write_stream(struct dump *dump, const struct inet_held *held, struct stream *s)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(dump->dir, IMAGE_TCP_STREAM, held->entry->ino, &img);

	if (!err)
		err = image_write_record(img, &s->entry.base);
	if (!err)
		err = image_write_raw(img, s->inq, s->entry.inq_len);
	if (!err)
		err = image_write_raw(img, s->outq, s->entry.outq_len);
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_dir_error(dump->dir)) : 0;
}

static int save_stream(struct dump *dump, const struct inet_held *held)
{
	const TcpOptsEntry *opts = held->entry->tcp_opts;
	struct stream s = { .entry = TCP_STREAM_ENTRY__INIT };
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	int err = read_stream(held, &s);

	if (opts && opts->cork)
		s.entry.has_cork = s.entry.cork = true;
	if (opts && opts->nodelay)
		s.entry.has_nodelay = s.entry.nodelay = true;
	if (err)
		fail(err, "the TCP connection from %s to %s", inet_address_text(&held->src, src),
		     inet_address_text(&held->dst, dst));
	else
		err = write_stream(dump, held, &s);
	free(s.inq);
	free(s.outq);
	return err;
}

int tcp_save_end(struct dump *dump, struct inet_dump *data)
{
	int err;

	/* With a blocker nothing is saved; without one nothing was refused here. */
	if (!data->first || dump->blockers.nr)
		return 0;
	err = inet_lock_dump(dump, data);
	for (const struct inet_held *held = data->first; held && !err; held = held->next) {
		LOG_SCOPE("pid %d", held->task->t.pid);
		LOG_SCOPE("fd %d", held->fd);

		if (data->table[0])
			held->entry->lock = data->table;
		err = save_stream(dump, held);
	}
	return err;
}

void tcp_close_silently(struct inet_dump *data)
{
	for (struct inet_held *held = data->first; held; held = held->next) {
		int err = tcp_repair(held->local, TCP_REPAIR_ON);

		if (err)
			log_warn("a connection says goodbye to its peer: errno %d", -err);
		close(steal_fd(&held->local));
	}
}
