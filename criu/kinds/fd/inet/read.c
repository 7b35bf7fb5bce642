// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queued data of sockets: the keeper reads it when all sockets are known and the network is locked; it is written into
 * images.
 */
#include "kinds/fd/inet/read.h"
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/datagrams.h"
#include "kinds/fd/inet/keeper.h"
#include "kinds/fd/inet/lock.h"
#include "kinds/fd/inet/state.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "run/guard.h"
#include "util/fds.h"

/* The part that we need of what libc's struct tcp_info lacks. include/uapi/linux/tcp.h */
struct tcp_info_long {
	struct tcp_info info;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked;
};

/* ---- sizes ---- */

/* It may have changed between the first look and the network lock. */
static int update_state(const struct inet_held *held)
{
	InetSkEntry *entry = held->entry;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(held->local, SOL_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	if (info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_TIME_WAIT)
		return fail(-EAGAIN, "a connection ended while it was examined; try again");
	if (tcp_got_fin(info.tcpi_state)) {
		entry->has_shutdown = true;
		entry->shutdown |= SK_SHUTDOWN__READ;
	}
	entry->state = info.tcpi_state;
	return 0;
}

static int stream_sizes(const struct inet_held *held, struct keeper_job *job, uint32_t *ret_unsent)
{
	int in, out, unsent, err = update_state(held);
	uint32_t state = held->entry->state;

	*ret_unsent = 0;
	if (err)
		return err;
	if (state == TCP_SYN_SENT)
		return 0;
	if (ioctl(held->local, SIOCINQ, &in) < 0 || ioctl(held->local, SIOCOUTQ, &out) < 0 ||
	    ioctl(held->local, SIOCOUTQNSD, &unsent) < 0)
		return -errno;
	/* An unacknowledged FIN counts as one byte. */
	if (tcp_sent_fin(state) && state != TCP_FIN_WAIT2) {
		out--;
		unsent -= unsent > 0;
	}
	if (in < 0 || out < 0 || unsent < 0 || unsent > out)
		return -EPROTO;
	job->in_len = in;
	job->out_len = out;
	*ret_unsent = unsent;
	return 0;
}

static int fill_stream_job(struct inet_held *held, struct keeper_job *job)
{
	int err = stream_sizes(held, job, &held->unsent);

	job->urgent = !err && held->entry->state != TCP_SYN_SENT && tcp_has_urgent(held->local);
	/* No call reports how much there is after the mark; the memory it occupies is an upper bound. */
	if (job->urgent)
		job->in_len += inet_queued_memory(held->local) + 2;
	return err;
}

static int fill_job(struct inet_held *held, struct keeper_job *job)
{
	job->what = held->what;
	job->fd = held->local;
	job->in_len = held->bytes;
	job->reuse = held->entry->opts->reuseaddr;
	return held->what == KEEPER_STREAM ? fill_stream_job(held, job) : 0;
}

/* ---- connections ---- */

/* Number of bytes that have arrived, and are still in the sender's queue because they are not acknowledged yet. */
static int count_duplicates(const struct inet_held *held, const struct keeper_job *job, uint32_t *ret_bytes)
{
	struct tcp_info_long info = { 0 };
	socklen_t len = sizeof(info);
	uint64_t acked;

	if (getsockopt(held->local, SOL_TCP, TCP_INFO, &info, &len) < 0)
		return fail(-errno, "state of a connection");
	/* SYN and FIN count as one byte each. */
	acked = info.bytes_acked - (info.bytes_acked > 0) - (held->entry->state == TCP_FIN_WAIT2);
	if (acked > held->sent_len || held->sent_len - acked > job->out_len)
		return fail(
			-EAGAIN,
			"unaccepted data in flight: a connection in the queue of a listening socket has sent it; try again");
	*ret_bytes = held->sent_len - acked;
	return 0;
}

static int write_image(struct dump *dump, const struct inet_stream_image *image)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(dump->dir, IMAGE_TCP_STREAM, image->ino, &img);

	if (!err)
		err = image_write_record(img, &image->entry.base);
	for (size_t i = 0; !err && i < ARRAY_SIZE(image->payload); i++)
		err = image_write_raw(img, image->payload[i].iov_base, image->payload[i].iov_len);
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* Creating a file per connection takes longer than everything else: a tree that keeps running need not wait for it. */
static int defer_write(struct dump *dump, struct inet_dump *data, const struct inet_stream_image *image)
{
	struct inet_stream_image *copy = dump_alloc(dump, sizeof(*copy));

	if (!copy)
		return fail(-ENOMEM, "connection");
	*copy = *image;
	for (size_t i = 0; i < ARRAY_SIZE(copy->payload); i++) {
		struct iovec *payload = &copy->payload[i];
		void *bytes = dump_alloc(dump, payload->iov_len + 1);

		if (!bytes)
			return fail(-ENOMEM, "queues of a connection");
		if (payload->iov_len)
			payload->iov_base = memcpy(bytes, payload->iov_base, payload->iov_len);
	}
	copy->next = data->deferred;
	data->deferred = copy;
	return 0;
}

int inet_write_deferred(struct dump *dump, const struct inet_dump *data)
{
	int err = 0;

	for (const struct inet_stream_image *image = data->deferred; image && !err; image = image->next)
		err = write_image(dump, image);
	return err;
}

static int write_stream(struct dump *dump, const struct inet_held *held, const struct keeper_job *job,
			const TcpStreamEntry *entry)
{
	struct inet_stream_image image = { .ino = held->entry->ino, .entry = *entry };
	uint32_t skip = 0;
	int err = held->unaccepted ? count_duplicates(held, job, &skip) : 0;

	if (err)
		return err;
	image.payload[0] = (struct iovec){ job->in, job->urgent ? job->used : job->in_len };
	image.payload[1] = (struct iovec){ held->sent, held->sent_len };
	image.payload[2] = (struct iovec){ job->out + skip, job->out_len - skip };
	image.entry.inq_len = image.payload[0].iov_len;
	image.entry.outq_len = held->sent_len + job->out_len - skip;
	if (held->unaccepted)
		image.entry.unsq_len = image.entry.outq_len;
	return dump_saves_after_thaw(dump) ? defer_write(dump, inet_dump_data(dump), &image) :
					     write_image(dump, &image);
}

static void fill_window(const struct keeper_job *job, TcpStreamEntry *e)
{
	if (!job->has_window)
		return;
	e->has_snd_wl1 = e->has_snd_wnd = e->has_max_window = e->has_rcv_wnd = e->has_rcv_wup = true;
	e->snd_wl1 = job->window.snd_wl1;
	e->snd_wnd = job->window.snd_wnd;
	e->max_window = job->window.max_window;
	e->rcv_wnd = job->window.rcv_wnd;
	e->rcv_wup = job->window.rcv_wup;
}

static void fill_urgent(struct dump *dump, const struct inet_held *held, const struct keeper_job *job,
			TcpStreamEntry *e)
{
	struct fd_probe probe = { .local = held->local };
	struct sock_memory m;
	int err;

	e->has_urgent = job->urgent;
	e->urgent = job->mark;
	e->has_urgent_read = e->urgent_read = job->urgent && job->mark_read;
	err = job->out_len ? inet_memory_of(dump, &probe, held->entry, &m) : 0;
	if (err < 0)
		log_warn(
			"the TCP connection has %zu bytes to send; whether one of them is urgent (MSG_OOB) can only be read from "
			"kernel memory (%s), and it would become an ordinary one",
			(size_t)job->out_len, rights_reason(&dump->rights, RIGHT_READ_KERNEL_MEMORY, err));
	if (err < 0 || !job->out_len)
		return;
	e->urgent_sent = m.urgent_end - m.unacked;
	e->has_urgent_sent = e->urgent_sent && e->urgent_sent <= job->out_len;
}

/*
 * Its lowest bit tells kernels since 6.7 that the connection counts microseconds; of an older kernel it is a part of the number.
 * A timestamp may not go backwards.
 */
static void fill_timestamp(const struct tcp_info *info, uint32_t now, TcpStreamEntry *e)
{
	e->has_usec_ts = e->usec_ts = (info->tcpi_options & TCPI_OPT_USEC_TS_) != 0;
	e->has_timestamp = true;
	e->timestamp = e->usec_ts ? now : now + (now & 1);
}

static int save_stream(struct dump *dump, const struct inet_held *held, const struct keeper_job *job)
{
	const TcpOptsEntry *opts = held->entry->tcp_opts;
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(held->local, SOL_TCP, TCP_INFO, &info, &len) < 0)
		return fail(-errno, "options of a connection");
	e.opt_mask = info.tcpi_options & TCP_OPTIONS_SAVED;
	e.snd_wscale = info.tcpi_snd_wscale;
	e.has_rcv_wscale = true;
	e.rcv_wscale = info.tcpi_rcv_wscale;
	e.inq_seq = job->in_seq;
	e.outq_seq = job->out_seq;
	e.mss_clamp = job->mss;
	fill_timestamp(&info, job->timestamp, &e);
	e.has_unsq_len = held->entry->state != TCP_SYN_SENT;
	e.unsq_len = held->unsent;
	e.has_cork = e.cork = opts && opts->cork;
	e.has_nodelay = e.nodelay = opts && opts->nodelay;
	fill_window(job, &e);
	fill_urgent(dump, held, job, &e);
	return write_stream(dump, held, job, &e);
}

static int save_bytes(struct dump *dump, const struct inet_held *held, const struct keeper_job *job)
{
	TcpStreamEntry e = TCP_STREAM_ENTRY__INIT;

	return write_stream(dump, held, job, &e);
}

/* ---- datagrams ---- */

static size_t count_datagrams(const struct keeper_job *job)
{
	struct keeper_datagram head;
	size_t n = 0;

	for (size_t at = 0; at < job->used; at += sizeof(head) + head.len, n++)
		memcpy(&head, job->in + at, sizeof(head));
	return n;
}

static int copy_bytes(struct dump *dump, const void *from, size_t len, ProtobufCBinaryData *ret)
{
	ret->data = dump_alloc(dump, len + 1);
	if (!ret->data)
		return -ENOMEM;
	memcpy(ret->data, from, len);
	ret->len = len;
	return 0;
}

static int save_datagrams(struct dump *dump, const struct inet_held *held, const struct keeper_job *job)
{
	InetSkEntry *entry = held->entry;
	size_t n = count_datagrams(job), at = 0;
	InetDatagramEntry *all = dump_alloc(dump, n * sizeof(*all) + 1);
	int err = 0;

	entry->datagram = dump_alloc(dump, n * sizeof(*entry->datagram) + 1);
	if (!all || !entry->datagram)
		return fail(-ENOMEM, "datagrams");
	for (size_t i = 0; i < n && !err; i++) {
		struct keeper_datagram head;

		memcpy(&head, job->in + at, sizeof(head));
		inet_datagram_entry__init(&all[i]);
		err = copy_bytes(dump, head.from, head.from_len, &all[i].from);
		if (!err)
			err = copy_bytes(dump, job->in + at + sizeof(head), head.len, &all[i].data);
		entry->datagram[entry->n_datagram++] = &all[i];
		at += sizeof(head) + head.len;
	}
	return err ? fail(err, "datagrams") : 0;
}

/* ---- all ---- */

static int save_held(struct dump *dump, const struct inet_dump *data, struct inet_held *held,
		     const struct keeper_job *job)
{
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	LOG_SCOPE("pid %d", held->task->t.pid);
	LOG_SCOPE("fd %d", held->fd);

	if (job->err == -EBUSY)
		return fail(job->err,
			    "the TCP connection from %s to %s: urgent data (MSG_OOB) has been read before the data in "
			    "front of it, or there is a pending error, too; let the program read on",
			    inet_address_text(&held->src, src), inet_address_text(&held->dst, dst));
	if (job->err == -EOPNOTSUPP)
		return fail(job->err,
			    "the TCP connection from %s to %s: this kernel does not show the data behind urgent data "
			    "(MSG_OOB; Linux 6.9 does): let the program read on",
			    inet_address_text(&held->src, src), inet_address_text(&held->dst, dst));
	if (job->err && held->what == KEEPER_STREAM)
		return fail(job->err, "the TCP connection from %s to %s", inet_address_text(&held->src, src),
			    inet_address_text(&held->dst, dst));
	if (job->err)
		return fail(job->err, "read the queued data of an internet socket");
	switch (held->what) {
	case KEEPER_STREAM:
		if (data->table[0] && inet_network_remains(data)) {
			held->entry->lock = (char *)data->table;
			held->entry->lock_boot = (char *)data->boot_id;
		}
		return save_stream(dump, held, job);
	case KEEPER_BYTES:
		return save_bytes(dump, held, job);
	default:
		return save_datagrams(dump, held, job);
	}
}

static int read_all(struct dump *dump, struct inet_dump *data, const struct keeper_job *jobs)
{
	struct inet_held *held = data->first;
	int err = 0;

	for (size_t done = 0; !err && done < data->nr;) {
		ssize_t n = keeper_read(data->keeper, done);

		if (n < 0)
			return fail(n, "the process that reads the sockets was killed");
		for (size_t end = done + n; !err && done < end; done++, held = held->next)
			err = save_held(dump, data, held, &jobs[done]);
	}
	return err;
}

static int start_keeper(struct dump *dump, struct inet_dump *data, const struct keeper_job *jobs)
{
	struct keeper_undo undo = { .netlink = data->lock, .table = data->table };
	_cleanup_free_ int *pidfds = calloc(dump->tree.nr_tasks + 1, sizeof(*pidfds));
	struct dump_task *dt;

	if (!pidfds)
		return -ENOMEM;
	dump_for_each_task(dt, dump)
		if (dt->t.state != TASK_DEAD && dt->pidfd >= 0)
			pidfds[undo.nr_pidfds++] = dt->pidfd;
	undo.pidfds = pidfds;
	return keeper_start(data->keeper, &undo, dump->guard);
}

int inet_read_held(struct dump *dump, struct inet_dump *data)
{
	struct keeper_job *jobs = NULL, *job;
	int err = dump->blockers.nr || dump_is_check(dump) ? 0 : inet_lock_dump(dump, data);

	if (!err)
		err = inet_backlog_save(dump, data);
	/* With a blocker nothing is saved; without one, nothing was refused here. */
	if (err || !data->first || dump->blockers.nr || dump_is_check(dump))
		return err;
	err = guard_begin(dump);
	if (err)
		return err;
	err = keeper_new(data->nr, &data->keeper, &jobs);
	job = jobs;
	for (struct inet_held *held = data->first; held && !err; held = held->next)
		err = fill_job(held, job++);
	if (!err)
		err = start_keeper(dump, data, jobs);
	if (err)
		return fail(err, "read the sockets");
	err = read_all(dump, data, jobs);
	/* A tree that keeps running needs no further cleanup by the keeper: do not wait for its exit. */
	if (!inet_tree_ends(dump))
		keeper_release(data->keeper);
	return err;
}
