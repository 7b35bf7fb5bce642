// SPDX-License-Identifier: GPL-2.0-only
#include "request/take.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "request/modes.h"
#include "util/str.h"

bool option_applies(const struct request *req, const struct option_spec *spec)
{
	return spec->commands & req->command;
}

bool option_takes_argument(const struct option_spec *spec)
{
	return spec->kind == ARG_STRING || spec->kind == ARG_LIST || spec->kind == ARG_MODE ||
	       spec->kind == ARG_HANDLER;
}

static int string_set(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int mode_set(void *field, const struct mode_list *modes, const char *word)
{
	const struct mode *mode = mode_by_word(modes, word);

	if (!mode)
		return -EINVAL;
	/* Any enum. */
	memcpy(field, &mode->ours, sizeof(mode->ours));
	return 0;
}

int option_apply(struct request *req, const struct option_spec *spec, const char *arg)
{
	void *field = (char *)&req->opts + spec->offset;

	switch (spec->kind) {
	case ARG_NONE:
		*(bool *)field = true;
		return 0;
	case ARG_STRING:
		return string_set(field, arg);
	case ARG_LIST:
		return str_list_add(field, arg);
	case ARG_MODE:
		return mode_set(field, spec->modes, arg);
	case ARG_HANDLER:
	case ARG_OPTIONAL:
	case ARG_ACTION:
		return spec->parse(req, arg);
	}
	return -EINVAL;
}

int option_admit(const struct request *req, const struct option_spec *spec, const char *shown)
{
	if (!option_applies(req, spec))
		return 0;
	if (!spec->implemented)
		return request_refuse(req, "%s is not implemented", shown);
	return 1;
}

/* Where the images are, and what is written elsewhere, says nothing about them. */
static bool is_of_interest(const struct option_spec *spec)
{
	static const char *const not_those[] = { "tree",      "images-dir",    "work-dir", "log-file",
						 "verbosity", "display-stats", "config",   "no-default-config" };

	for (size_t i = 0; i < ARRAY_SIZE(not_those); i++)
		if (str_eq(spec->name, not_those[i]))
			return false;
	return spec->kind != ARG_ACTION;
}

static int note(struct request *req, const struct option_spec *spec, const char *text)
{
	int err = spec->kind == ARG_ACTION ? 0 : str_list_add(&req->taken, text);

	return err || !is_of_interest(spec) ? err : str_list_add(&req->opts.given, text);
}

static int note_given(struct request *req, const struct option_spec *spec, const char *arg)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (buf_printf(&text, "%s%s%s", spec->name, arg ? "=" : "", arg ? arg : ""))
		return -ENOMEM;
	return note(req, spec, text.data);
}

int option_unset(struct request *req, const struct option_spec *spec)
{
	char text[64];

	if (!option_applies(req, spec))
		return 0;
	*(bool *)((char *)&req->opts + spec->offset) = false;
	str_format(text, sizeof(text), "no-%s", spec->name);
	return note(req, spec, text);
}

int option_take(struct request *req, const struct option_spec *spec, const char *arg, const char *shown)
{
	int ret = option_admit(req, spec, shown);

	if (ret <= 0)
		return ret;
	ret = option_apply(req, spec, arg);
	if (ret == 0)
		ret = note_given(req, spec, arg);
	if (ret == -EINVAL)
		return request_refuse(req, "%s: invalid value '%s'; expected %s", shown, arg ? arg : "",
				      spec->arg ? spec->arg : "no value");
	if (ret == -EOPNOTSUPP)
		request_refuse(req, "%s%s%s is not implemented", shown, arg ? "=" : "", arg ? arg : "");
	if (ret == -ENOMEM)
		request_refuse(req, "%s: out of memory", shown);
	return ret;
}
