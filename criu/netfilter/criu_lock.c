// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/criu_lock.h"
#include <stddef.h>
#include <string.h>
#include "util/str.h"

struct line {
	const char *text; /* without indentation */
	size_t len; /* without the newline */
	size_t indent, whole; /* indentation; all of it with the newline */
};

static struct line next_line(const char *at)
{
	struct line line = { .len = strcspn(at, "\n") };

	line.whole = line.len + (at[line.len] == '\n');
	line.indent = strspn(at, " \t");
	if (line.indent > line.len)
		line.indent = line.len;
	line.text = at + line.indent;
	line.len -= line.indent;
	return line;
}

static bool begins(const struct line *line, const char *prefix)
{
	return line->len >= strlen(prefix) && !memcmp(line->text, prefix, strlen(prefix));
}

static bool ends(const struct line *line, const char *suffix)
{
	size_t len = strlen(suffix);

	return line->len >= len && !memcmp(line->text + line->len - len, suffix, len);
}

void nft_text_remove_lock(char *text)
{
	size_t block = 0; /* indentation of the block that is removed, and 1 */
	char *to = text, *at = text;

	while (*at) {
		struct line line = next_line(at);
		bool removed = block || ends(&line, " jump CRIU");

		if (block && line.indent + 1 == block && line.len == 1 && *line.text == '}') {
			block = 0;
		} else if (!block && ends(&line, "{") &&
			   (begins(&line, "chain CRIU {") || begins(&line, "table inet CRIU-"))) {
			block = line.indent + 1;
			removed = true;
		}
		if (!removed) {
			memmove(to, at, line.whole);
			to += line.whole;
		}
		at += line.whole;
	}
	*to = 0;
}

/* "*filter", ":INPUT ACCEPT [0:0]", "-A INPUT -j CRIU", "COMMIT", "# comment" */
static bool is_of_lock(const struct line *line)
{
	return begins(line, ":CRIU ") || begins(line, "-A CRIU ") || ends(line, " -j CRIU");
}

void iptables_text_remove_lock(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		const struct line line = next_line(at);

		if (!is_of_lock(&line)) {
			memmove(to, at, line.whole);
			to += line.whole;
		}
		at += line.whole;
	}
	*to = 0;
}

bool iptables_text_has_rules(const char *text)
{
	while (*text) {
		struct line line = next_line(text);
		bool lock = is_of_lock(&line);
		bool empty = !line.len || strchr("#*", *line.text) || begins(&line, "COMMIT");
		const char *policy = memchr(line.text, ' ', line.len);

		if (!lock && !empty && !(*line.text == ':' && policy && str_has_prefix(policy, " ACCEPT ")))
			return true;
		text += line.whole;
	}
	return false;
}
