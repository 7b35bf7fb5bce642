// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config files: one option per line, without dashes, followed by its value, if any. '#' starts a comment; a value may
 * be quoted (then \" and \\ are escapes). Later settings override earlier ones, and the command line overrides all.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "request/config.h"
#include "request/option_table.h"
#include "request/take.h"
#include "util/str.h"

#define SYSTEM_CONFIG "/etc/criu/default.conf"
#define USER_CONFIG ".criu/default.conf"

static char *skip_blanks(char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* The quoted text at @s, unescaped in place; *ret_end is after the closing quote, or NULL if there is none. */
static char *unquote(char *s, char **ret_end)
{
	char quote = *s, *to = s, *from = s + 1;

	for (; *from && *from != quote; from++) {
		if (*from == '\\' && (from[1] == quote || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	*ret_end = *from ? from + 1 : NULL;
	*to = 0;
	return s;
}

/* An unquoted value ends at the end of the line or at a comment; trailing spaces are not part of it. */
static void trim_value(char *value)
{
	char *comment = value;
	size_t len;

	while ((comment = strchr(comment, '#')) && comment > value && !isblank((unsigned char)comment[-1]))
		comment++;
	if (comment)
		*comment = 0;
	len = strlen(value);
	while (len && isspace((unsigned char)value[len - 1]))
		value[--len] = 0;
}

/* Splits @line into name and value (NULL: none) in place. The name of an empty line is empty. */
static int split_line(char *line, char **ret_name, char **ret_value)
{
	char *name = skip_blanks(line), *value, *end;

	if (*name == '#' || !*name) {
		*ret_name = name + strlen(name);
		*ret_value = NULL;
		return 0;
	}
	end = name + strcspn(name, " \t\r\n=#");
	value = end + (*end == '=');
	if (*end == ' ' || *end == '\t')
		value = skip_blanks(end);
	if (*value == '=') /* "name = value" */
		value = skip_blanks(value + 1);
	if (*end == '#')
		value = NULL;
	else if (*value == '"' || *value == '\'')
		value = unquote(value, &end);
	else if (!*skip_blanks(value) || *value == '#')
		value = NULL;
	else
		trim_value(value);
	*ret_name = name;
	*ret_value = value;
	if (!end)
		return -EINVAL;
	if (value && end > value) {
		char *rest = skip_blanks(end);

		if (*rest && *rest != '#')
			return -EINVAL;
	}
	return 0;
}

/* no-NAME */
static int unset_by_name(struct request *req, const struct option_spec *spec, const char *arg, const char *where)
{
	if (arg)
		return request_refuse(req, "%sno-%s takes no value", where, spec->name);
	return option_unset(req, spec) ? request_refuse(req, "%sno-%s: out of memory", where, spec->name) : 0;
}

static int set_by_name(struct request *req, const char *name, const char *arg, const char *where)
{
	const struct option_spec *spec = option_find(name, strlen(name));
	char shown[PATH_MAX + 96];

	if (!spec && str_has_prefix(name, "no-"))
		spec = option_find(name + 3, strlen(name + 3));
	if (spec && spec->kind == ARG_NONE && !str_eq(spec->name, name))
		return unset_by_name(req, spec, arg, where);
	if (!spec || !str_eq(spec->name, name))
		return option_unknown(req, "", name, where);
	if (spec->kind == ARG_ACTION)
		return request_refuse(req, "%s%s is only valid on the command line", where, name);
	if (arg && spec->kind == ARG_NONE)
		return request_refuse(req, "%s%s takes no value", where, name);
	if (!arg && option_takes_argument(spec))
		return request_refuse(req, "%s%s needs a value: %s %s", where, name, name, spec->arg);
	snprintf(shown, sizeof(shown), "%s%s", where, name);
	return option_take(req, spec, arg, shown);
}

static int config_line(struct request *req, const char *where, char *line)
{
	char *name, *value;

	if (split_line(line, &name, &value) < 0)
		return request_refuse(req, "%smissing closing quote, or text after it", where);
	if (!*name)
		return 0;
	name[strcspn(name, " \t\r\n=#")] = 0;
	if (str_has_prefix(name, "--"))
		name += 2;
	return set_by_name(req, name, value, where);
}

int config_load_file(struct request *req, const char *path, bool must)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	char where[PATH_MAX + 32];
	size_t size = 0;
	unsigned int nr = 0;

	if (!file) {
		if (!must && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
			return 0;
		return request_refuse(req, "config file %s: %s", path, strerror(errno));
	}
	while (getline(&line, &size, file) >= 0) {
		int ret;

		snprintf(where, sizeof(where), "%s:%u: ", path, ++nr);
		ret = config_line(req, where, line);
		if (ret < 0)
			return ret;
	}
	if (ferror(file))
		return request_refuse(req, "config file %s: cannot be read: %s", path, strerror(errno));
	return 0;
}

static int user_config(struct request *req)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	if (!home || !*home) {
		const struct passwd *pw = getpwuid(getuid());

		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || path_join(path, sizeof(path), home, USER_CONFIG) < 0)
		return 0;
	return config_load_file(req, path, false);
}

int config_load(struct request *req)
{
	const char *env = getenv("CRIU_CONFIG_FILE");
	int ret = 0;

	if (!req->opts.no_default_config && !req->opts.config_file) {
		ret = config_load_file(req, SYSTEM_CONFIG, false);
		if (ret == 0)
			ret = user_config(req);
	}
	if (ret == 0 && env && *env)
		ret = config_load_file(req, env, true);
	if (ret == 0 && req->opts.config_file) {
		/* `config` has no effect in a file: hide the option while the file is read. */
		char *path = req->opts.config_file;

		req->opts.config_file = NULL;
		ret = config_load_file(req, path, true);
		free(req->opts.config_file);
		req->opts.config_file = path;
	}
	return ret;
}

static void replace_dir(char **name, int *fd)
{
	free(*name);
	cleanup_close(fd);
	*fd = -1;
}

/* Only what the file itself sets counts: not the names in @opts. */
int config_load_last(struct request *req, const char *path)
{
	struct options *opts = &req->opts;
	char *images_dir = opts->images_dir, *work_dir = opts->work_dir;
	const pid_t pid = opts->pid;
	const int log_level = opts->log_level;
	struct stat st;
	int ret;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	opts->images_dir = opts->work_dir = NULL;
	ret = config_load_file(req, path, false);
	opts->log_level = log_level;
	opts->pid = pid;
	if (opts->images_dir)
		replace_dir(&images_dir, &opts->images_dir_fd);
	else
		opts->images_dir = images_dir;
	if (opts->work_dir)
		replace_dir(&work_dir, &opts->work_dir_fd);
	else
		opts->work_dir = work_dir;
	return ret;
}
