// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>

#include "base/bits.h"
#include "kernel/locks.h"
#include "kernel/scan.h"
#include "util/fds.h"
#include "util/proc_root.h"

static const struct {
	const char *name;
	enum file_lock_kind kind;
} kinds[] = {
	{ "FLOCK", LOCK_KIND_FLOCK }, { "POSIX", LOCK_KIND_POSIX }, { "OFDLCK", LOCK_KIND_OFD },
	{ "LEASE", LOCK_KIND_LEASE }, { "DELEG", LOCK_KIND_DELEG }, { "ACCESS", LOCK_KIND_POSIX },
};

static bool next_word(struct scan *s, struct scan *ret_word)
{
	return scan_blank(s) && scan_word(s, ret_word);
}

/* "FLOCK  ADVISORY  WRITE" */
static bool scan_words(struct scan *s, struct file_lock *l)
{
	struct scan kind, mode, type;

	if (!next_word(s, &kind) || !next_word(s, &mode) || !next_word(s, &type))
		return false;
	l->kind = LOCK_KIND_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (scan_is(&kind, kinds[i].name))
			l->kind = kinds[i].kind;
	l->mandatory = scan_is(&mode, "MANDATORY");
	l->breaking = scan_is(&mode, "BREAKING");
	if (scan_is(&type, "READ"))
		l->type = LOCK_TYPE_READ;
	else if (scan_is(&type, "WRITE") || scan_is(&type, "RW"))
		l->type = LOCK_TYPE_WRITE;
	else
		l->type = LOCK_TYPE_NONE;
	return true;
}

static bool scan_inode(struct scan *s, struct file_lock *l)
{
	scan_blank(s);
	if (scan_lit(s, "<none>:0"))
		return true;
	l->has_inode = true;
	return scan_hex32(s, &l->dev_major) && scan_char(s, ':') && scan_hex32(s, &l->dev_minor) && scan_char(s, ':') &&
	       scan_u64(s, &l->ino);
}

int lock_parse_line(const char *line, size_t len, struct file_lock *ret)
{
	struct scan s = scan_text(line, len);
	struct file_lock l = { 0 };

	scan_blank(&s);
	if (!scan_u64(&s, &l.id) || !scan_char(&s, ':'))
		return -EBADMSG;
	scan_blank(&s);
	l.blocked = scan_lit(&s, "->");
	if (!scan_words(&s, &l) || !scan_blank(&s) || !scan_int(&s, &l.pid) || !scan_inode(&s, &l))
		return -EBADMSG;
	if (!scan_blank(&s) || !scan_s64(&s, &l.start) || !scan_blank(&s))
		return -EBADMSG;
	if (scan_lit(&s, "EOF"))
		l.end = INT64_MAX;
	else if (!scan_s64(&s, &l.end))
		return -EBADMSG;
	*ret = l;
	return 0;
}

int locks_parse(const char *text, size_t len, struct file_locks *to)
{
	struct scan s = scan_text(text, len), line;

	while (scan_line(&s, &line)) {
		struct file_lock l;
		int err = lock_parse_line(line.p, scan_left(&line), &l);
		if (err)
			return err;
		if (array_add(to, l))
			return -ENOMEM;
	}
	return 0;
}

int locks_read(struct file_locks *to)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = read_file(proc_root(), "locks", &b);

	return err ? err : locks_parse(b.data, b.len, to);
}
