// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "base/bits.h"
#include "kernel/fdinfo.h"
#include "kernel/scan.h"
#include "util/fds.h"

/* The item of @tag that the previous lines have started, or a new one: for kinds that use several lines. */
static struct fdinfo_item *item_of(struct fdinfo *f, enum fdinfo_tag tag)
{
	struct fdinfo_item *i = (struct fdinfo_item *)fdinfo_find(f, tag);

	if (i)
		return i;
	i = array_push(f);
	if (i)
		i->tag = tag;
	return i;
}

static struct fdinfo_item *new_item(struct fdinfo *f, enum fdinfo_tag tag)
{
	struct fdinfo_item *i = array_push(f);

	if (i)
		i->tag = tag;
	return i;
}

/* Blanks, @key, and a number. The functions differ in its base. */
static bool key_hex(struct scan *s, const char *key, uint64_t *ret_v)
{
	struct scan was = *s;

	if (scan_blank(s) && scan_lit(s, key) && scan_blank(s) && scan_hex(s, ret_v))
		return true;
	*s = was;
	return false;
}

static bool key_hex32(struct scan *s, const char *key, uint32_t *ret_v)
{
	struct scan was = *s;

	if (scan_blank(s) && scan_lit(s, key) && scan_blank(s) && scan_hex32(s, ret_v))
		return true;
	*s = was;
	return false;
}

static bool key_u32(struct scan *s, const char *key, uint32_t *ret_v)
{
	struct scan was = *s;

	if (scan_blank(s) && scan_lit(s, key) && scan_blank(s) && scan_u32(s, ret_v))
		return true;
	*s = was;
	return false;
}

static bool key_s64(struct scan *s, const char *key, int64_t *ret_v)
{
	return scan_blank(s) && scan_lit(s, key) && scan_blank(s) && scan_s64(s, ret_v);
}

static int bad_unless(bool ok)
{
	return ok ? 0 : -EBADMSG;
}

static int parse_pos(struct scan *s, struct fdinfo *f)
{
	return bad_unless(scan_s64(s, &f->pos));
}

static int parse_flags(struct scan *s, struct fdinfo *f)
{
	uint64_t v;

	if (!scan_oct(s, &v) || v > UINT32_MAX)
		return -EBADMSG;
	f->flags = v;
	return 0;
}

static int parse_mnt_id(struct scan *s, struct fdinfo *f)
{
	return bad_unless(scan_int(s, &f->mnt_id));
}

static int parse_ino(struct scan *s, struct fdinfo *f)
{
	f->has_ino = true;
	return bad_unless(scan_u64(s, &f->ino));
}

static struct fdinfo_item *eventfd_item(struct fdinfo *f)
{
	struct fdinfo_item *i = (struct fdinfo_item *)fdinfo_find(f, FDINFO_EVENTFD);

	if (i)
		return i;
	i = new_item(f, FDINFO_EVENTFD);
	if (i) {
		i->eventfd.id = -1;
		i->eventfd.semaphore = -1;
	}
	return i;
}

static int parse_eventfd_count(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = eventfd_item(f);

	return i ? bad_unless(scan_hex(s, &i->eventfd.count)) : -ENOMEM;
}

static int parse_eventfd_id(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = eventfd_item(f);

	return i ? bad_unless(scan_int(s, &i->eventfd.id)) : -ENOMEM;
}

static int parse_eventfd_semaphore(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = eventfd_item(f);

	return i ? bad_unless(scan_int(s, &i->eventfd.semaphore)) : -ENOMEM;
}

/* "tfd:        5 events:       19 data: 5  pos:0 ino:8 sdev:d" */
static int parse_tfd(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_EPOLL_TFD);

	if (!i)
		return -ENOMEM;
	if (!scan_int(s, &i->epoll.fd) || !key_hex32(s, "events:", &i->epoll.events) ||
	    !key_hex(s, "data:", &i->epoll.data))
		return -EBADMSG;
	if (scan_at_end(s))
		return 0;
	i->epoll.has_file = true;
	return bad_unless(key_s64(s, "pos:", &i->epoll.pos) && key_hex(s, "ino:", &i->epoll.ino) &&
			  key_hex32(s, "sdev:", &i->epoll.sdev));
}

static int parse_sigmask(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_SIGNALFD);

	return i ? bad_unless(scan_hex(s, &i->signal_mask)) : -ENOMEM;
}

static int parse_clockid(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_TIMERFD);

	return i ? bad_unless(scan_int(s, &i->timerfd.clock)) : -ENOMEM;
}

static int parse_ticks(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_TIMERFD);

	return i ? bad_unless(scan_u64(s, &i->timerfd.ticks)) : -ENOMEM;
}

static int parse_settime(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_TIMERFD);
	uint64_t v;

	if (!i)
		return -ENOMEM;
	if (!scan_oct(s, &v) || v > UINT32_MAX)
		return -EBADMSG;
	i->timerfd.settime_flags = v;
	return 0;
}

/* "(0, 49406829)" */
static bool scan_timespec(struct scan *s, int64_t *ret_sec, int64_t *ret_nsec)
{
	return scan_char(s, '(') && scan_s64(s, ret_sec) && scan_lit(s, ", ") && scan_s64(s, ret_nsec) &&
	       scan_char(s, ')');
}

static int parse_it_value(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_TIMERFD);

	return i ? bad_unless(scan_timespec(s, &i->timerfd.value_sec, &i->timerfd.value_nsec)) : -ENOMEM;
}

static int parse_it_interval(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_TIMERFD);

	return i ? bad_unless(scan_timespec(s, &i->timerfd.interval_sec, &i->timerfd.interval_nsec)) : -ENOMEM;
}

/* "fhandle-bytes:8 fhandle-type:1 f_handle:0100000000000000": false if it is present but malformed. */
static bool scan_handle(struct scan *s, struct fdinfo_handle *h, bool *ret_has)
{
	uint32_t type;

	*ret_has = false;
	if (!key_hex32(s, "fhandle-bytes:", &h->bytes))
		return true;
	if (h->bytes > FDINFO_HANDLE_MAX || !key_hex32(s, "fhandle-type:", &type) || !scan_blank(s) ||
	    !scan_lit(s, "f_handle:") || scan_left(s) < 2 * (size_t)h->bytes)
		return false;
	h->type = type;
	for (uint32_t i = 0; i < h->bytes; i++) {
		struct scan two = scan_text(s->p, 2);
		uint64_t v;
		if (!scan_hex(&two, &v) || scan_left(&two))
			return false;
		h->f_handle[i] = v;
		s->p += 2;
	}
	*ret_has = true;
	return true;
}

/* "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 ..." */
static int parse_inotify(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_INOTIFY_WD);
	uint32_t wd;

	if (!i)
		return -ENOMEM;
	if (!key_hex32(s, "wd:", &wd) || !key_hex(s, "ino:", &i->inotify.ino) ||
	    !key_hex32(s, "sdev:", &i->inotify.sdev) || !key_hex32(s, "mask:", &i->inotify.mask) ||
	    !key_hex32(s, "ignored_mask:", &i->inotify.ignored_mask))
		return -EBADMSG;
	i->inotify.wd = wd;
	return bad_unless(scan_handle(s, &i->inotify.handle, &i->inotify.has_handle));
}

/* "flags:10 event-flags:0", "mnt_id:12 mflags:..", "ino:.. sdev:.. mflags:..", "sdev:.. mflags:..", "mnt_ns:.. mflags:.." */
static int parse_fanotify(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_FANOTIFY_INIT);
	bool ok = true;

	if (!i)
		return -ENOMEM;
	if (key_hex32(s, "flags:", &i->fanotify_init.flags))
		return bad_unless(key_hex32(s, "event-flags:", &i->fanotify_init.event_flags));
	if (key_hex32(s, "mnt_id:", &i->fanotify.mnt_id)) {
		i->tag = FDINFO_FANOTIFY_MOUNT;
	} else if (key_u32(s, "mnt_ns:", &i->fanotify.mnt_id)) {
		i->tag = FDINFO_FANOTIFY_MNTNS;
	} else if (key_hex(s, "ino:", &i->fanotify.ino)) {
		i->tag = FDINFO_FANOTIFY_INODE;
		ok = key_hex32(s, "sdev:", &i->fanotify.sdev);
	} else if (key_hex32(s, "sdev:", &i->fanotify.sdev)) {
		i->tag = FDINFO_FANOTIFY_SB;
	} else {
		ok = false;
	}
	return bad_unless(ok && key_hex32(s, "mflags:", &i->fanotify.mflags) &&
			  key_hex(s, "mask:", &i->fanotify.mask) &&
			  key_hex(s, "ignored_mask:", &i->fanotify.ignored_mask) &&
			  scan_handle(s, &i->fanotify.handle, &i->fanotify.has_handle));
}

static int parse_pid(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_PIDFD);

	return i ? bad_unless(scan_int(s, &i->pidfd.pid)) : -ENOMEM;
}

static int parse_nspid(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_PIDFD);

	if (!i)
		return -ENOMEM;
	i->pidfd.levels = 0;
	while (i->pidfd.levels < PROC_NS_LEVELS && scan_blank(s) && scan_int(s, &i->pidfd.nspid[i->pidfd.levels]))
		i->pidfd.levels++;
	return bad_unless(i->pidfd.levels && scan_at_end(s));
}

static int parse_tty_index(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_TTY_INDEX);

	return i ? bad_unless(scan_u32(s, &i->tty_index)) : -ENOMEM;
}

static int parse_lock(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_LOCK);

	return i ? lock_parse_line(s->p, scan_left(s), &i->lock) : -ENOMEM;
}

static int parse_scm_fds(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = new_item(f, FDINFO_SCM_FDS);

	return i ? bad_unless(scan_u32(s, &i->scm_fds)) : -ENOMEM;
}

static int parse_uffd_pending(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_UFFD);

	return i ? bad_unless(scan_u64(s, &i->uffd.pending)) : -ENOMEM;
}

static int parse_uffd_total(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_UFFD);

	return i ? bad_unless(scan_u64(s, &i->uffd.total)) : -ENOMEM;
}

/* "aa:80000000:1e7" */
static int parse_uffd_api(struct scan *s, struct fdinfo *f)
{
	struct fdinfo_item *i = item_of(f, FDINFO_UFFD);
	uint64_t version;

	if (!i)
		return -ENOMEM;
	return bad_unless(scan_hex(s, &version) && scan_char(s, ':') && scan_hex32(s, &i->uffd.features) &&
			  scan_char(s, ':') && scan_hex(s, &i->uffd.known));
}

static const struct {
	const char *key;
	int (*parse)(struct scan *s, struct fdinfo *f);
} lines[] = {
	{ "pos:", parse_pos },
	{ "flags:", parse_flags },
	{ "mnt_id:", parse_mnt_id },
	{ "ino:", parse_ino },
	{ "scm_fds:", parse_scm_fds },
	{ "lock:", parse_lock },
	{ "eventfd-count:", parse_eventfd_count },
	{ "eventfd-id:", parse_eventfd_id },
	{ "eventfd-semaphore:", parse_eventfd_semaphore },
	{ "tfd:", parse_tfd },
	{ "sigmask:", parse_sigmask },
	{ "clockid:", parse_clockid },
	{ "ticks:", parse_ticks },
	{ "settime flags:", parse_settime },
	{ "it_value:", parse_it_value },
	{ "it_interval:", parse_it_interval },
	{ "inotify ", parse_inotify },
	{ "fanotify ", parse_fanotify },
	{ "Pid:", parse_pid },
	{ "NSpid:", parse_nspid },
	{ "tty-index:", parse_tty_index },
	{ "pending:", parse_uffd_pending },
	{ "total:", parse_uffd_total },
	{ "API:", parse_uffd_api },
};

static int parse_line(struct scan *line, struct fdinfo *f)
{
	struct scan s = *line;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!scan_lit(&s, lines[i].key))
			continue;
		scan_blank(&s);
		return lines[i].parse(&s, f);
	}
	int err = buf_add(&f->other, line->p, scan_left(line));
	return err ? err : buf_add(&f->other, "\n", 1);
}

int fdinfo_parse(const char *text, size_t len, struct fdinfo *ret)
{
	struct fdinfo f = { .mnt_id = -1 };
	struct scan s = scan_text(text, len), line;
	int err = 0;

	while (!err && scan_line(&s, &line))
		err = parse_line(&line, &f);
	if (err)
		fdinfo_free(&f);
	else
		*ret = f;
	return err;
}

int fdinfo_read(const struct proc *p, int fd, struct fdinfo *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[32];

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	int err = proc_record(p, path, &b);
	return err ? err : fdinfo_parse(b.data, b.len, ret);
}

void fdinfo_free(struct fdinfo *f)
{
	array_free(f);
	buf_free(&f->other);
}

const struct fdinfo_item *fdinfo_find(const struct fdinfo *f, enum fdinfo_tag tag)
{
	const struct fdinfo_item *i;

	array_for_each(i, f) {
		if (i->tag == tag)
			return i;
	}
	return NULL;
}
