// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line parser. Options come from the table, in the forms --name VALUE, --name=VALUE, -n VALUE, -nVALUE,
 * -abc; the command is a word in any position.
 */
#include <errno.h>
#include <string.h>

#include "cli/usage.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "request/option_table.h"
#include "request/take.h"
#include "util/str.h"

/* Position of the parser in argv. */
struct cursor {
	int argc, i;
	char **argv;
	const char *cluster; /* remaining letters of "-abc", or NULL */
	struct words *words;
	struct str_list *exec_cmd;
	bool wants_exec_cmd;
	bool first_pass; /* options_scan: everything is parsed again in the second pass */
};

/* One option on the command line. */
struct found {
	const struct option_spec *spec;
	const char *arg; /* NULL: none */
	char shown[64]; /* as the user wrote it: "--images-dir", "-D" */
};

typedef int (*option_fn)(struct request *req, const struct found *found);

static int take(struct request *req, const struct found *found)
{
	/* The options of swrk are those of all requests. */
	if (!option_applies(req, found->spec) && req->command != CMD_SWRK)
		request_warn(req, "%s has no effect with this command", found->shown);
	/* One of a config file is for other commands. */
	if (req->command == CMD_CHECK && str_eq(found->spec->name, "images-dir"))
		req->opts.check_images = true;
	return option_take(req, found->spec, found->arg, found->shown);
}

/* The first pass applies only these. */
static int take_first(struct request *req, const struct found *found)
{
	if (str_eq(found->spec->name, "config") || str_eq(found->spec->name, "no-default-config"))
		return option_apply(req, found->spec, found->arg);
	return 0;
}

static int long_option(struct cursor *at, const struct request *req, struct found *ret_found)
{
	const char *name = at->argv[at->i] + 2;
	size_t len = strcspn(name, "=");
	const struct option_spec *spec = option_find(name, len);
	const char *arg = name[len] ? name + len + 1 : NULL;
	char plain[64];

	str_format(plain, sizeof(plain), "%.*s", (int)(len < 60 ? len : 60), name);
	if (!spec)
		return option_unknown(req, "--", plain, "");
	str_format(ret_found->shown, sizeof(ret_found->shown), "--%s", plain);
	if (arg && (spec->kind == ARG_NONE || spec->kind == ARG_ACTION))
		return usage_error("--%s takes no value", plain);
	if (!arg && option_takes_argument(spec)) {
		if (at->i + 1 >= at->argc)
			return usage_error("--%s needs a value: --%s %s", plain, plain, spec->arg);
		arg = at->argv[++at->i];
	} else if (!arg && spec->kind == ARG_OPTIONAL && at->i + 1 < at->argc && str_eq(at->argv[at->i + 1], "-")) {
		arg = at->argv[++at->i]; /* no command has that name */
	}
	ret_found->spec = spec;
	ret_found->arg = arg;
	return 0;
}

/*
 * -v4, -vvv. As in CRIU, the rest of the word is the argument of -v, and anything but a number is 0: scripts with a
 * missing dash (-verbosity=0) rely on it.
 */
static const char *verbosity_word(const char *rest, bool quiet)
{
	if (!*rest)
		return NULL;
	if (!rest[strspn(rest, "v")] || !rest[strspn(rest, "0123456789")])
		return rest;
	if (!quiet)
		usage_error("warning: -v%s is interpreted as -v0: -v cannot be combined with other letters", rest);
	return "0";
}

/* The next letter of a cluster; its argument is the rest of the word or the next word. */
static int short_option(struct cursor *at, struct found *ret_found)
{
	char letter = *at->cluster++;
	const struct option_spec *spec = option_find_letter(letter);
	const char *arg = NULL;

	if (!spec)
		return usage_error("unknown option -%c; see criu --help", letter);
	str_format(ret_found->shown, sizeof(ret_found->shown), "-%c (--%s)", letter, spec->name);
	if (option_takes_argument(spec)) {
		if (*at->cluster) {
			arg = at->cluster;
		} else if (at->i + 1 < at->argc) {
			arg = at->argv[++at->i];
		} else {
			return usage_error("-%c needs a value: -%c %s", letter, letter, spec->arg);
		}
		at->cluster = "";
	} else if (spec->letter == 'v') {
		arg = verbosity_word(at->cluster, at->first_pass);
		at->cluster = "";
	} else if (spec->kind == ARG_OPTIONAL && *at->cluster) {
		arg = at->cluster + (*at->cluster == '=');
		at->cluster = "";
	}
	ret_found->spec = spec;
	ret_found->arg = arg;
	return 0;
}

static int take_word(struct cursor *at, const char *word)
{
	struct words *words = at->words;

	if (!words->command) {
		words->command = word;
		return 0;
	}
	if (words->arg_nr == sizeof(words->arg) / sizeof(words->arg[0]))
		return usage_error("unexpected argument '%s'", word);
	words->arg[words->arg_nr++] = word;
	return 0;
}

/* The words after "--" are the command of --exec-cmd. */
static int take_rest(struct cursor *at)
{
	int ret;

	if (!at->wants_exec_cmd)
		return usage_error("'--' is only valid before the command of --exec-cmd");
	for (at->i++; at->i < at->argc; at->i++) {
		ret = str_list_add(at->exec_cmd, at->argv[at->i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int take_option(struct cursor *at, struct request *req, option_fn fn)
{
	struct found found = { 0 };
	int ret = at->cluster ? short_option(at, &found) : long_option(at, req, &found);

	if (ret < 0)
		return ret;
	at->words->help |= str_eq(found.spec->name, "help");
	at->words->version |= str_eq(found.spec->name, "version");
	at->words->show_options |= str_eq(found.spec->name, "show-options");
	at->wants_exec_cmd |= str_eq(found.spec->name, "exec-cmd");
	return fn(req, &found);
}

static int walk(struct cursor *at, struct request *req, option_fn fn)
{
	int ret = 0;

	for (at->i = 1; at->i < at->argc && ret == 0; at->i++) {
		const char *word = at->argv[at->i];

		if (str_eq(word, "--")) {
			ret = take_rest(at);
			break;
		}
		if (word[0] != '-' || !word[1]) {
			ret = take_word(at, word);
			continue;
		}
		at->cluster = word[1] == '-' ? NULL : word + 1;
		do {
			ret = take_option(at, req, fn);
		} while (ret == 0 && at->cluster && *at->cluster);
	}
	if (ret == 0 && at->wants_exec_cmd && !at->exec_cmd->n)
		return usage_error("--exec-cmd needs a command after '--': criu restore --exec-cmd -- COMMAND");
	return ret;
}

int options_scan(int argc, char **argv, struct request *req, struct words *ret_words)
{
	struct words words = { .argc = argc, .argv = argv };
	struct str_list ignored = { 0 };
	struct cursor at = { .argc = argc, .argv = argv, .words = &words, .exec_cmd = &ignored, .first_pass = true };
	int ret = walk(&at, req, take_first);

	str_list_free(&ignored);
	if (ret == 0)
		*ret_words = words;
	return ret;
}

int options_parse(int argc, char **argv, struct request *req)
{
	struct words words = { 0 };
	struct cursor at = { .argc = argc, .argv = argv, .words = &words, .exec_cmd = &req->opts.exec_cmd };

	return walk(&at, req, take);
}
