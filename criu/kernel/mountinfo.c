// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "kernel/mountinfo.h"
#include "kernel/scan.h"

/* The next field, terminated by exactly one space: it may be empty. NUL-terminated and unescaped in place. */
static bool take_field(struct scan *s, char *text, char **ret_field)
{
	struct scan part;

	if (!scan_until(s, ' ', &part))
		return false;
	char *field = text + (part.p - text);
	field[unescape_octal(field, scan_left(&part))] = 0;
	*ret_field = field;
	return true;
}

/* "shared:1 master:2 propagate_from:3 unbindable - ": any of them, up to the dash. */
static bool scan_optional(struct scan *s, struct mount_info *m)
{
	struct scan word;

	while (scan_until(s, ' ', &word)) {
		bool ok = true;
		if (scan_is(&word, "-"))
			return true;
		if (scan_lit(&word, "shared:"))
			ok = scan_int(&word, &m->shared_id);
		else if (scan_lit(&word, "master:"))
			ok = scan_int(&word, &m->master_id);
		else if (scan_lit(&word, "propagate_from:"))
			ok = scan_int(&word, &m->propagate_from);
		else if (scan_is(&word, "unbindable"))
			m->unbindable = true;
		if (!ok)
			return false;
	}
	return false;
}

static bool scan_mount(struct scan *s, char *text, struct mount_info *m)
{
	if (!scan_int(s, &m->mnt_id) || !scan_char(s, ' ') || !scan_int(s, &m->parent_id) || !scan_char(s, ' ') ||
	    !scan_u32(s, &m->dev_major) || !scan_char(s, ':') || !scan_u32(s, &m->dev_minor) || !scan_char(s, ' '))
		return false;
	if (!take_field(s, text, &m->root) || !take_field(s, text, &m->mountpoint) || !take_field(s, text, &m->options))
		return false;
	if (!scan_optional(s, m) || !take_field(s, text, &m->fstype) || !take_field(s, text, &m->source))
		return false;
	/* The rest of the line: it ends at the newline or at the NUL after the text. */
	m->sb_options = text + (s->p - text);
	m->sb_options[unescape_octal(m->sb_options, scan_left(s))] = 0;
	return true;
}

/* Takes ownership of @text (of @len bytes and a NUL), also on failure. */
static int mountinfo_split(char *text, size_t len, struct mountinfo *ret)
{
	struct mountinfo all = { 0 };
	struct scan s = scan_text(text, len), line;
	int err = array_add(&all.texts, text);

	if (err)
		free(text);

	while (!err && scan_line(&s, &line)) {
		struct mount_info m = { 0 };

		err = scan_mount(&line, text, &m) ? array_add(&all, m) : -EBADMSG;
	}
	if (err)
		mountinfo_free(&all);
	else
		*ret = all;
	return err;
}

int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret)
{
	struct buf b = { 0 };
	int err = buf_add(&b, text, len);

	return err ? err : mountinfo_split(b.data, len, ret);
}

int mountinfo_read(const struct proc *p, struct mountinfo *ret)
{
	struct buf b = { 0 };
	int err = proc_text(p, "mountinfo", &b);

	if (err) {
		buf_free(&b);
		return err;
	}
	return mountinfo_split(b.data, b.len, ret);
}

int mountinfo_read_more(const struct proc *p, uint32_t ns, struct mountinfo *to)
{
	_cleanup_mountinfo_ struct mountinfo more = { 0 };
	int err = mountinfo_read(p, &more);

	if (!err)
		err = array_reserve(to, more.n);
	if (!err)
		err = array_reserve(&to->texts, more.texts.n);
	if (err)
		return err;
	for (size_t i = 0; i < more.n; i++) {
		more.v[i].ns = ns;
		to->v[to->n++] = more.v[i];
	}
	for (size_t i = 0; i < more.texts.n; i++)
		to->texts.v[to->texts.n++] = more.texts.v[i];
	more.texts.n = 0;
	return 0;
}

void mountinfo_free(struct mountinfo *m)
{
	array_free(m);
	for (size_t i = 0; i < m->texts.n; i++)
		free(m->texts.v[i]);
	array_free(&m->texts);
}

const struct mount_info *mountinfo_find(const struct mountinfo *m, int mnt_id)
{
	const struct mount_info *i;

	array_for_each(i, m) {
		if (i->mnt_id == mnt_id)
			return i;
	}
	return NULL;
}
