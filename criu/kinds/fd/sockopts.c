// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/sockopts.h"
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "base/bits.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"
#include "util/str.h"

/* May be missing from libc's headers. */
#define SO_GET_FILTER_ 26
#define SO_LOCK_FILTER_ 44
#define SO_PEEK_OFF_ 42
#define SO_BUF_LOCK_ 72
#define SO_MAX_PACING_RATE_ 47
#define SO_TXTIME_ 61
#define SO_TXREHASH_ 74
#define HIGH_HALF 0x10000u /* key of the upper 32 bits of a 64-bit value */

/* Where the option is in the entry: an optional bool or uint32 with its has_ member. */
struct sockopt {
	int name;
	const char *text;
	size_t has, value;
	bool is_bool, only_if_set;
};

#define OPT(option, member, type_is_bool, if_set)                                                       \
	{                                                                                               \
		.name = option, .text = #option, .has = offsetof(SkOptsEntry, has_##member),            \
		.value = offsetof(SkOptsEntry, member), .is_bool = type_is_bool, .only_if_set = if_set, \
	}

static const struct sockopt sockopts[] = {
	OPT(SO_REUSEADDR, reuseaddr, true, false),    OPT(SO_PRIORITY, so_priority, false, false),
	OPT(SO_RCVLOWAT, so_rcvlowat, false, false),  OPT(SO_MARK, so_mark, false, true),
	OPT(SO_PASSCRED, so_passcred, true, false),   OPT(SO_PASSSEC, so_passsec, true, false),
	OPT(SO_DONTROUTE, so_dontroute, true, false), OPT(SO_NO_CHECK, so_no_check, true, false),
	OPT(SO_REUSEPORT, so_reuseport, true, false), OPT(SO_BROADCAST, so_broadcast, true, false),
	OPT(SO_KEEPALIVE, so_keepalive, true, false), OPT(SO_OOBINLINE, so_oobinline, false, false),
};

/*
 * Plain numbers beyond CRIU's list, written if they differ from those of a new socket. The kernel returns only one type
 * of timestamps, and setting an older one resets the newer: the newer ones come last. The lock of the filter is the
 * very last.
 */
static const struct {
	int name, normal;
} more_sockopts[] = {
	{ 1, 0 }, /* SO_DEBUG */
	{ 29, 0 }, /* SO_TIMESTAMP */
	{ 35, 0 }, /* SO_TIMESTAMPNS */
	{ 37, 0 }, /* SO_TIMESTAMPING */
	{ 63, 0 }, /* SO_TIMESTAMP_NEW */
	{ 64, 0 }, /* SO_TIMESTAMPNS_NEW */
	{ 65, 0 }, /* SO_TIMESTAMPING_NEW */
	{ 40, 0 }, /* SO_RXQ_OVFL */
	{ 41, 0 }, /* SO_WIFI_STATUS */
	{ SO_PEEK_OFF_, -1 },
	{ 43, 0 }, /* SO_NOFCS */
	{ 45, 0 }, /* SO_SELECT_ERR_QUEUE */
	{ 46, 0 }, /* SO_BUSY_POLL */
	{ 49, -1 }, /* SO_INCOMING_CPU */
	{ 60, 0 }, /* SO_ZEROCOPY */
	{ 69, 0 }, /* SO_PREFER_BUSY_POLL */
	{ 70, 0 }, /* SO_BUSY_POLL_BUDGET */
	{ 73, 0 }, /* SO_RESERVE_MEM */
	{ SO_TXREHASH_, 1 },
	{ 75, 0 }, /* SO_RCVMARK */
	{ 76, 0 }, /* SO_PASSPIDFD */
	{ 82, 0 }, /* SO_RCVPRIORITY */
	{ 83, 1 }, /* SO_PASSRIGHTS */
	{ SO_LOCK_FILTER_, 0 },
};

/* 64-bit values: two entries, the upper half with HIGH_HALF. SO_TXTIME is two numbers, clock and flags. */
static const struct {
	int name;
	uint64_t normal;
} wide_sockopts[] = {
	{ SO_MAX_PACING_RATE_, UINT64_MAX },
	{ SO_TXTIME_, 0 },
};

/* False if the socket has no such option. */
static bool get_number(int fd, int name, int *ret_value)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 || len > sizeof(value))
		return false;
	*ret_value = value;
	return true;
}

/*
 * Only TCP uses SO_TXREHASH. Kernels before the check for that (6.1 has none) report it, and 0 at that, of all other sockets,
 * too; later ones refuse to set it there.
 */
static bool is_used(int fd, int name)
{
	int domain, type, protocol;

	if (name != SO_TXREHASH_)
		return true;
	return get_number(fd, SO_DOMAIN, &domain) && (domain == AF_INET || domain == AF_INET6) &&
	       get_number(fd, SO_TYPE, &type) && type == SOCK_STREAM && get_number(fd, SO_PROTOCOL, &protocol) &&
	       protocol == IPPROTO_TCP;
}

static int set_number(int fd, int name, const char *text, int value)
{
	int now;

	if (get_number(fd, name, &now) && now == value)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)) == 0)
		return 0;
	return text ? fail(-errno, "set %s of a socket to %d", text, value) :
		      fail(-errno, "set option %d of a socket to %d", name, value);
}

/* ---- dump ---- */

static void save_table(int fd, SkOptsEntry *opts)
{
	for (size_t i = 0; i < ARRAY_SIZE(sockopts); i++) {
		const struct sockopt *o = &sockopts[i];
		int value = 0;

		if (!get_number(fd, o->name, &value))
			value = 0;
		if (o->only_if_set && !value)
			continue;
		*(protobuf_c_boolean *)((char *)opts + o->has) = true;
		if (o->is_bool)
			*(protobuf_c_boolean *)((char *)opts + o->value) = value != 0;
		else
			*(uint32_t *)((char *)opts + o->value) = value;
	}
}

static int add_number(struct dump *dump, SkOptsEntry *opts, uint32_t name, int32_t value)
{
	SkNumberEntry *entry = dump_alloc(dump, sizeof(*entry));

	if (!opts->more)
		opts->more = dump_alloc(dump, (ARRAY_SIZE(more_sockopts) + 2 * ARRAY_SIZE(wide_sockopts)) *
						      sizeof(*opts->more));
	if (!entry || !opts->more)
		return -ENOMEM;
	sk_number_entry__init(entry);
	entry->name = name;
	entry->value = value;
	opts->more[opts->n_more++] = entry;
	return 0;
}

static int save_wide(struct dump *dump, int fd, SkOptsEntry *opts)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wide_sockopts) && !err; i++) {
		uint64_t value = 0;
		socklen_t len = sizeof(value);

		if (getsockopt(fd, SOL_SOCKET, wide_sockopts[i].name, &value, &len) < 0 || len != sizeof(value) ||
		    value == wide_sockopts[i].normal)
			continue;
		err = add_number(dump, opts, wide_sockopts[i].name, (int32_t)value);
		if (!err)
			err = add_number(dump, opts, wide_sockopts[i].name | HIGH_HALF, (int32_t)(value >> 32));
	}
	return err;
}

static int save_more(struct dump *dump, int fd, SkOptsEntry *opts)
{
	int err = save_wide(dump, fd, opts);

	for (size_t i = 0; i < ARRAY_SIZE(more_sockopts) && !err; i++) {
		int value;

		if (is_used(fd, more_sockopts[i].name) && get_number(fd, more_sockopts[i].name, &value) &&
		    value != more_sockopts[i].normal)
			err = add_number(dump, opts, more_sockopts[i].name, value);
	}
	return err;
}

/* A classic filter is returned as it was attached; an eBPF program cannot be read: EACCES. socket(7) */
static int save_filter(struct dump *dump, const struct fd_probe *probe, SkOptsEntry *opts)
{
	struct sock_filter code[BPF_MAXINSNS];
	socklen_t n = 0;

	if (getsockopt(probe->local, SOL_SOCKET, SO_GET_FILTER_, NULL, &n) < 0 && errno != EACCES)
		return 0;
	if (!n)
		return 0;
	if (n > BPF_MAXINSNS || getsockopt(probe->local, SOL_SOCKET, SO_GET_FILTER_, code, &n) < 0) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a BPF program is attached to this socket: detach it (SO_DETACH_FILTER)", probe->link);
		return 0;
	}
	opts->so_filter = dump_alloc(dump, n * sizeof(*opts->so_filter));
	if (!opts->so_filter)
		return -ENOMEM;
	opts->n_so_filter = n;
	for (socklen_t i = 0; i < n; i++)
		opts->so_filter[i] = (uint64_t)code[i].code << 48 | (uint64_t)code[i].jt << 40 |
				     (uint64_t)code[i].jf << 32 | code[i].k;
	return 0;
}

static int save_sizes_and_times(int fd, SkOptsEntry *opts)
{
	struct timeval snd, rcv;
	socklen_t len = sizeof(snd);
	int sndbuf, rcvbuf;

	if (!get_number(fd, SO_SNDBUF, &sndbuf) || !get_number(fd, SO_RCVBUF, &rcvbuf) ||
	    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &snd, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &rcv, &len) < 0)
		return fail(-errno, "options of a socket");
	opts->so_sndbuf = sndbuf;
	opts->so_rcvbuf = rcvbuf;
	opts->so_snd_tmo_sec = snd.tv_sec;
	opts->so_snd_tmo_usec = snd.tv_usec;
	opts->so_rcv_tmo_sec = rcv.tv_sec;
	opts->so_rcv_tmo_usec = rcv.tv_usec;
	return 0;
}

int sockopts_save(struct dump *dump, const struct fd_probe *probe, SkOptsEntry **ret_opts)
{
	SkOptsEntry *opts = dump_alloc(dump, sizeof(*opts));
	struct linger linger = { 0 };
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(linger);
	int err, fd = probe->local, lock;

	if (!opts)
		return fail(-ENOMEM, "options of a socket");
	sk_opts_entry__init(opts);
	err = save_sizes_and_times(fd, opts);
	if (err)
		return err;
	save_table(fd, opts);
	opts->has_so_buf_lock = get_number(fd, SO_BUF_LOCK_, &lock);
	opts->so_buf_lock = opts->has_so_buf_lock ? lock : 0;
	if (!getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) && linger.l_onoff) {
		opts->has_so_linger = true;
		opts->so_linger = linger.l_linger;
	}
	len = sizeof(device);
	if (!getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) && len && device[0])
		opts->so_bound_dev = dump_strdup(dump, device);
	err = save_more(dump, fd, opts);
	if (!err)
		err = save_filter(dump, probe, opts);
	if (err)
		return fail(err, "options of a socket");
	if (opts->has_so_mark && opts->so_mark)
		dump_need_right(dump, probe->task, probe, RIGHT_NET_ADMIN, "a mark (SO_MARK)");
	*ret_opts = opts;
	return 0;
}

/* ---- restore ---- */

static bool is_wide(uint32_t name)
{
	for (size_t i = 0; i < ARRAY_SIZE(wide_sockopts); i++)
		if ((uint32_t)wide_sockopts[i].name == (name & ~HIGH_HALF))
			return true;
	return false;
}

static bool is_more(uint32_t name)
{
	for (size_t i = 0; i < ARRAY_SIZE(more_sockopts); i++)
		if ((uint32_t)more_sockopts[i].name == name)
			return true;
	return is_wide(name);
}

int sockopts_check(const SkOptsEntry *opts)
{
	if (opts->so_sndbuf > INT32_MAX || opts->so_rcvbuf > INT32_MAX)
		return fail(-EBADMSG, "invalid socket buffer sizes of %u and %u bytes", opts->so_sndbuf,
			    opts->so_rcvbuf);
	if (opts->so_snd_tmo_sec > INT64_MAX || opts->so_rcv_tmo_sec > INT64_MAX || opts->so_snd_tmo_usec >= 1000000 ||
	    opts->so_rcv_tmo_usec >= 1000000)
		return fail(-EBADMSG, "invalid socket timeouts");
	if (opts->n_so_filter > BPF_MAXINSNS)
		return fail(-EBADMSG, "invalid socket filter of %zu instructions", opts->n_so_filter);
	if (opts->so_bound_dev && strlen(opts->so_bound_dev) >= IFNAMSIZ)
		return fail(-EBADMSG, "invalid device name %s", opts->so_bound_dev);
	for (size_t i = 0; i < opts->n_more; i++)
		if (!is_more(opts->more[i]->name))
			return fail(-EBADMSG, "unknown socket option %u", opts->more[i]->name);
	return 0;
}

/* The kernel doubles the requested size. socket(7) */
static int set_buffer(int fd, int force, int plain, uint32_t size)
{
	int half = size / 2, now;

	if (get_number(fd, plain, &now) && (uint32_t)now == size)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, force, &half, sizeof(half)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, plain, &half, sizeof(half)) < 0 ? -errno : 0;
}

void sockopts_widen(int fd, uint32_t sndbuf, uint32_t rcvbuf)
{
	int now;

	if (get_number(fd, SO_SNDBUF, &now) && (uint32_t)now < sndbuf)
		set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, sndbuf);
	if (get_number(fd, SO_RCVBUF, &now) && (uint32_t)now < rcvbuf)
		set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, rcvbuf);
}

static int set_buffers(int fd, const SkOptsEntry *opts)
{
	int err = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, opts->so_sndbuf);

	if (!err)
		err = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, opts->so_rcvbuf);
	if (err)
		return fail(err, "set the buffers of a socket to %u and %u bytes", opts->so_sndbuf, opts->so_rcvbuf);
	return opts->has_so_buf_lock ? set_number(fd, SO_BUF_LOCK_, "SO_BUF_LOCK", opts->so_buf_lock) : 0;
}

static int set_timeout(int fd, int name, uint64_t sec, uint64_t usec)
{
	struct timeval tv = { .tv_sec = sec, .tv_usec = usec };

	if (!sec && !usec)
		return 0;
	return setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)) < 0 ? fail(-errno, "set a timeout of a socket") : 0;
}

static int set_table(int fd, const SkOptsEntry *opts)
{
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(sockopts); i++) {
		const struct sockopt *o = &sockopts[i];
		const char *at = (const char *)opts + o->value;
		bool has;
		int now = 0, value = o->is_bool ? *(const protobuf_c_boolean *)at : *(const int32_t *)at;

		if (!*(const protobuf_c_boolean *)((const char *)opts + o->has))
			continue;
		/* An option that the family lacks reads as 0. */
		has = get_number(fd, o->name, &now);
		if (has ? now == value : !value)
			continue;
		if (setsockopt(fd, SOL_SOCKET, o->name, &value, sizeof(value)) < 0)
			err = fail(-errno, "set %s of a socket to %d", o->text, value);
	}
	return err;
}

static int set_filter(int fd, const SkOptsEntry *opts)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog prog = { .len = opts->n_so_filter, .filter = code };

	if (!opts->n_so_filter)
		return 0;
	for (size_t i = 0; i < opts->n_so_filter; i++)
		code[i] = (struct sock_filter){ .code = opts->so_filter[i] >> 48,
						.jt = opts->so_filter[i] >> 40,
						.jf = opts->so_filter[i] >> 32,
						.k = opts->so_filter[i] };
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return fail(-errno, "attach the filter of a socket (%zu instructions)", opts->n_so_filter);
	return 0;
}

static int set_wide(int fd, const SkOptsEntry *opts, uint32_t name, uint32_t low)
{
	uint64_t value = low;

	for (size_t i = 0; i < opts->n_more; i++)
		if (opts->more[i]->name == (name | HIGH_HALF))
			value |= (uint64_t)(uint32_t)opts->more[i]->value << 32;
	if (setsockopt(fd, SOL_SOCKET, (int)name, &value, sizeof(value)) < 0)
		return fail(-errno, "set option %u of a socket to %#lx", name, value);
	return 0;
}

static int set_more(int fd, const SkOptsEntry *opts)
{
	int err = 0;

	for (size_t i = 0; !err && i < opts->n_more; i++) {
		const SkNumberEntry *entry = opts->more[i];

		if (!is_used(fd, (int)entry->name))
			continue;
		if (!is_wide(entry->name))
			err = set_number(fd, (int)entry->name, NULL, entry->value);
		else if (!(entry->name & HIGH_HALF))
			err = set_wide(fd, opts, entry->name, (uint32_t)entry->value);
	}
	return err;
}

int sockopts_restore(int fd, const SkOptsEntry *opts)
{
	int err = set_buffers(fd, opts);

	if (!err)
		err = set_timeout(fd, SO_SNDTIMEO, opts->so_snd_tmo_sec, opts->so_snd_tmo_usec);
	if (!err)
		err = set_timeout(fd, SO_RCVTIMEO, opts->so_rcv_tmo_sec, opts->so_rcv_tmo_usec);
	if (!err)
		err = set_table(fd, opts);
	if (!err && opts->has_so_linger) {
		struct linger linger = { .l_onoff = 1, .l_linger = opts->so_linger };

		if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
			err = fail(-errno, "set SO_LINGER of a socket");
	}
	if (!err && opts->so_bound_dev &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opts->so_bound_dev, strlen(opts->so_bound_dev) + 1) < 0)
		err = fail(-errno, "bind a socket to the device %s", opts->so_bound_dev);
	if (!err)
		err = set_filter(fd, opts);
	return err ? err : set_more(fd, opts);
}
