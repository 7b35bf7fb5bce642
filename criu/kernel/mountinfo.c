// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mountinfo.h"
#include "kernel/scan.h"
#include "util/str.h"

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

/* NULL: @path is not at or below @dir. */
static const char *rest_below(const char *dir, const char *path)
{
	size_t len = strcmp(dir, "/") ? strlen(dir) : 0;

	if (strncmp(dir, path, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + strspn(path + len, "/");
}

/* Of several that are mounted on the same one: the lookup comes to the shortest mount point first. NULL: none is on the way. */
static const struct mount_info *next_at(const struct mountinfo *m, const struct mount_info *at, uint32_t ns,
					const char *path)
{
	const struct mount_info *i, *next = NULL;

	array_for_each(i, m) {
		bool is_on = at ? i->parent_id == at->mnt_id && i != at :
				  !strcmp(i->mountpoint, "/") &&
					     (i->parent_id == i->mnt_id || !mountinfo_find(m, i->parent_id));

		if (is_on && i->ns == ns && rest_below(i->mountpoint, path) &&
		    (!next || strlen(i->mountpoint) < strlen(next->mountpoint)))
			next = i;
	}
	return next;
}

const struct mount_info *mountinfo_at(const struct mountinfo *m, uint32_t ns, const char *path, const char **ret_rest)
{
	const struct mount_info *at = NULL, *next = path[0] == '/' ? next_at(m, NULL, ns, path) : NULL;

	/* Malformed: a circle. */
	for (size_t n = 0; next && n < m->n; n++) {
		at = next;
		next = next_at(m, at, ns, path);
	}
	if (at)
		*ret_rest = rest_below(at->mountpoint, path);
	return at;
}

static const char *option_of(const struct mount_info *m, const char *name)
{
	const char *at = m->sb_options;

	while (!str_has_prefix(at, name)) {
		at = strchr(at, ',');
		if (!at)
			return NULL;
		at++;
	}
	return at + strlen(name);
}

bool mount_is_automounted(const struct mount_info *m)
{
	const char *ino = strcmp(m->fstype, "autofs") ? "-1" : option_of(m, "pipe_ino=");

	/* Old kernels do not show it. */
	return !ino || ino[0] != '-';
}

bool mount_is_trigger(const struct mount_info *m)
{
	return !option_of(m, "indirect");
}

bool mount_automount_pipe(const struct mount_info *m, uint64_t *ret_ino)
{
	const char *ino = mount_is_automounted(m) ? option_of(m, "pipe_ino=") : NULL;

	if (ino)
		*ret_ino = strtoull(ino, NULL, 10);
	return ino != NULL;
}
