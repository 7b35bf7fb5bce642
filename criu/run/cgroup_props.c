// SPDX-License-Identifier: GPL-2.0-only
#include "run/cgroup_props.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "run/path.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/str.h"

#define WORD_SIZE 256

struct parser {
	const char *p;
	const char *why;
};

static char next_char(struct parser *s)
{
	while (isspace((unsigned char)*s->p))
		s->p++;
	return *s->p;
}

static int refuse(struct parser *s, const char *why)
{
	s->why = why;
	return -EINVAL;
}

static int take_char(struct parser *s, char c, const char *why)
{
	if (next_char(s) != c)
		return refuse(s, why);
	s->p++;
	return 0;
}

/* "word", or a word without quotes. */
static int take_word(struct parser *s, char ret[WORD_SIZE])
{
	bool quoted = next_char(s) == '"';
	size_t len;

	s->p += quoted;
	len = quoted ? strcspn(s->p, "\"\n") : strcspn(s->p, " \t\n:,[]\"");
	if (quoted && s->p[len] != '"')
		return refuse(s, "a quote is not closed");
	if (!len || len >= WORD_SIZE)
		return refuse(s, "expected a name");
	memcpy(ret, s->p, len);
	ret[len] = 0;
	s->p += len + quoted;
	return 0;
}

static int take_files(struct parser *s, struct str_list *files)
{
	char word[WORD_SIZE];
	int err = take_char(s, '[', "expected '[' after properties");

	while (!err && next_char(s) != ']') {
		err = take_word(s, word);
		if (!err && (strchr(word, '/') || word[0] == '.'))
			err = refuse(s, "a property is the name of a file in the group");
		if (!err)
			err = str_list_add(files, word);
		if (!err && next_char(s) != ']')
			err = take_char(s, ',', "expected ',' or ']' in the list of properties");
	}
	if (!err)
		s->p++;
	return err;
}

/* - "strategy": "merge", or - "properties": [...] */
static int take_item(struct parser *s, struct cgroup_props_entry *entry, bool *strategy)
{
	char key[WORD_SIZE], word[WORD_SIZE];
	int err = take_word(s, key);

	if (!err)
		err = take_char(s, ':', "expected ':' after strategy or properties");
	if (err)
		return err;
	if (!strcmp(key, "properties"))
		return take_files(s, &entry->files);
	if (strcmp(key, "strategy"))
		return refuse(s, "expected strategy or properties");
	err = take_word(s, word);
	if (!err && strcmp(word, "merge") && strcmp(word, "replace"))
		err = refuse(s, "the strategy is merge or replace");
	entry->replace = !err && !strcmp(word, "replace");
	*strategy = true;
	return err;
}

static int take_controller(struct parser *s, struct cgroup_props *to)
{
	struct cgroup_props_entry *entry;
	char name[WORD_SIZE];
	bool strategy = false;
	int err = take_word(s, name);

	if (!err)
		err = take_char(s, ':', "expected ':' after the name of a controller");
	if (err)
		return err;
	entry = array_push(to);
	if (!entry)
		return -ENOMEM;
	entry->controller = strdup(name);
	if (!entry->controller)
		return -ENOMEM;
	while (!err && next_char(s) == '-') {
		s->p++;
		err = take_item(s, entry, &strategy);
	}
	return !err && !strategy ? refuse(s, "a controller has no strategy") : err;
}

/* Appends what @text says. -EINVAL with a reason, or -ENOMEM. */
static int parse_props(const char *text, struct cgroup_props *to, const char **ret_why)
{
	struct parser s = { text, NULL };
	int err = 0;

	while (!err && next_char(&s))
		err = take_controller(&s, to);
	if (err == -EINVAL)
		*ret_why = s.why;
	return err;
}

int cgroup_props_read(const struct options *opts, struct cgroup_props *to, const char **ret_why)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = 0;

	if (opts->cgroup_props_file) {
		err = read_file(PATH_OWN.root, opts->cgroup_props_file, &text);
		if (!err)
			err = parse_props(text.data ?: "", to, ret_why);
	}
	return !err && opts->cgroup_props ? parse_props(opts->cgroup_props, to, ret_why) : err;
}

void cgroup_props_free(struct cgroup_props *props)
{
	for (size_t i = 0; i < props->n; i++) {
		free(props->v[i].controller);
		str_list_free(&props->v[i].files);
	}
	array_free(props);
}
