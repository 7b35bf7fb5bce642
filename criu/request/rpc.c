// SPDX-License-Identifier: GPL-2.0-only
#include "request/rpc.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "request/modes.h"
#include "request/option_table.h"
#include "request/rpc_values.h"
#include "request/take.h"

/* A field of a message, and its location. */
struct field {
	const ProtobufCFieldDescriptor *descriptor;
	const ProtobufCMessage *message;
};

static const void *member(const struct field *field, unsigned int offset)
{
	return (const char *)field->message + offset;
}

/* "name", or "message.name". False: the inner message is absent. */
static bool find_field(const ProtobufCMessage *message, const char *name, struct field *ret)
{
	const char *dot = strchr(name, '.');
	char first[64];

	snprintf(first, sizeof(first), "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
	ret->descriptor = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, first);
	ret->message = message;
	if (!ret->descriptor)
		return false;
	if (!dot)
		return true;
	message = *(const ProtobufCMessage *const *)member(ret, ret->descriptor->offset);
	return message && find_field(message, dot + 1, ret);
}

static bool is_present(const struct field *field)
{
	const ProtobufCFieldDescriptor *d = field->descriptor;

	if (d->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)member(field, d->quantifier_offset) > 0;
	if (d->label == PROTOBUF_C_LABEL_REQUIRED)
		return true;
	if (d->type == PROTOBUF_C_TYPE_STRING || d->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)member(field, d->offset) != NULL;
	return *(const protobuf_c_boolean *)member(field, d->quantifier_offset);
}

static int take_bool(struct request *req, const struct option_spec *spec, const struct field *field, const char *shown)
{
	if (*(const protobuf_c_boolean *)member(field, field->descriptor->offset))
		return option_take(req, spec, NULL, shown);
	if (!spec->rpc_true_only)
		*(bool *)((char *)&req->opts + spec->offset) = false;
	return 0;
}

static int take_strings(struct request *req, const struct option_spec *spec, const struct field *field,
			const char *shown)
{
	const size_t n = *(const size_t *)member(field, field->descriptor->quantifier_offset);
	char *const *strings = *(char *const *const *)member(field, field->descriptor->offset);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = option_take(req, spec, strings[i], shown);
	return ret;
}

static int take_mode(struct request *req, const struct option_spec *spec, const struct field *field, const char *shown)
{
	const int rpc = *(const int *)member(field, field->descriptor->offset);
	const struct mode *mode = mode_by_rpc(spec->modes, rpc);

	if (!mode)
		return request_refuse(req, "%s: %d: invalid value; expected the number of %s", shown, rpc, spec->arg);
	return option_take(req, spec, mode->word, shown);
}

static int take_number(struct request *req, const struct option_spec *spec, const struct field *field,
		       const char *shown)
{
	const void *number = member(field, field->descriptor->offset);
	char text[16];

	if (field->descriptor->type == PROTOBUF_C_TYPE_UINT32)
		snprintf(text, sizeof(text), "%u", *(const uint32_t *)number);
	else
		snprintf(text, sizeof(text), "%d", *(const int32_t *)number);
	return option_take(req, spec, text, shown);
}

/* By the type of the field: the value is converted to the text that a user would have written. */
static int take_field(struct request *req, const struct option_spec *spec, const ProtobufCMessage *rpc)
{
	struct field field;
	char shown[64];

	if (!find_field(rpc, spec->rpc, &field) || !is_present(&field))
		return 0;
	rpc_shown(shown, sizeof(shown), spec->rpc, spec);
	if (field.descriptor->label == PROTOBUF_C_LABEL_REPEATED)
		return take_strings(req, spec, &field, shown);
	switch (field.descriptor->type) {
	case PROTOBUF_C_TYPE_BOOL:
		return take_bool(req, spec, &field, shown);
	case PROTOBUF_C_TYPE_STRING:
		return option_take(req, spec, *(char *const *)member(&field, field.descriptor->offset), shown);
	case PROTOBUF_C_TYPE_ENUM:
		return take_mode(req, spec, &field, shown);
	default:
		return take_number(req, spec, &field, shown);
	}
}

int request_from_rpc(struct request *req, const CriuOpts *rpc)
{
	struct options *opts = &req->opts;
	int ret = 0;

	/* The first error counts; the directories and the log of a request that is refused are known, too. */
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];
		int err = 0;

		if (spec->from_rpc)
			err = spec->from_rpc(req, spec, rpc);
		else if (spec->rpc[0])
			err = take_field(req, spec, &rpc->base);
		if (err < 0 && ret == 0)
			ret = err;
	}
	if (ret == 0)
		ret = rpc_later_fields(req, rpc);
	if (ret < 0)
		return ret;
	if (rpc->has_leave_stopped && rpc->leave_stopped)
		opts->leave_running = false;
	opts->client_stdio = true;
	/* A client gets its response as soon as the tree runs; with a command, validation sets this. */
	opts->restore_detached = !opts->exec_cmd.n;
	return 0;
}
