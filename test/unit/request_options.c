// SPDX-License-Identifier: GPL-2.0-only
/* The table of options is complete: command line, config line, field of criu_opts and help of each option. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "request/modes.h"
#include "request/option_table.h"
#include "request/rpc.h"
#include "request/take.h"
#include "request_helper.h"
#include "util_check.h"

/* Prints the name of a failing row on stderr. */
#define ROW_CHECK(spec, cond)                                               \
	do {                                                                \
		if (!(cond))                                                \
			fprintf(stderr, "--%s: %s\n", (spec)->name, #cond); \
		CHECK(cond);                                                \
	} while (0)

static bool takes_value(const struct option_spec *spec)
{
	return option_takes_argument(spec) || spec->kind == ARG_OPTIONAL;
}

static void each_option_is_described(void)
{
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];

		CHECK(spec->name);
		ROW_CHECK(spec, spec->help && spec->help[0] && spec->commands && spec->group < GROUP_NR);
		ROW_CHECK(spec, !takes_value(spec) || spec->arg);
		ROW_CHECK(spec, spec->kind != ARG_NONE || !spec->arg);
		ROW_CHECK(spec, (spec->kind >= ARG_HANDLER) == (spec->parse != NULL));
		ROW_CHECK(spec, (spec->kind == ARG_MODE) == (spec->modes != NULL));
		ROW_CHECK(spec, option_find(spec->name, strlen(spec->name)) == spec);
		ROW_CHECK(spec, !spec->letter || option_find_letter(spec->letter) == spec);
	}
}

/* As a line of a config file: accepted, or refused by name and for no other reason. */
static void each_option_is_a_config_line(void)
{
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];
		const char *value = sample_value(spec);
		struct asked asked;
		char line[128];
		int ret;

		snprintf(line, sizeof(line), "%s %s", spec->name, value ? value : "");
		asked_begin(&asked, command_of(spec));
		ret = asked_line(&asked, line);
		asked_end(&asked);
		if (spec->kind == ARG_ACTION) {
			ROW_CHECK(spec, ret < 0 && strstr(asked.reports, "only valid on the command line"));
			continue;
		}
		ROW_CHECK(spec, (ret == 0) == spec->implemented);
		ROW_CHECK(spec, spec->implemented || (strstr(asked.reports, spec->name) &&
						      strstr(asked.reports, "not implemented")));
	}
}

static const ProtobufCFieldDescriptor *field_by_name(const char *name, size_t len)
{
	const ProtobufCMessageDescriptor *message = &criu_opts__descriptor;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	if (!strncmp(text, "ps.", 3))
		return protobuf_c_message_descriptor_get_field_by_name(&criu_page_server_info__descriptor, text + 3);
	return protobuf_c_message_descriptor_get_field_by_name(message, text);
}

/* A field whose type rpc.c accepts for an option of that type. */
static bool type_matches(const struct option_spec *spec, const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return field->type == PROTOBUF_C_TYPE_STRING && (spec->kind == ARG_LIST || spec->kind == ARG_HANDLER);
	switch (spec->kind) {
	case ARG_NONE:
		return field->type == PROTOBUF_C_TYPE_BOOL;
	case ARG_STRING:
		return field->type == PROTOBUF_C_TYPE_STRING;
	case ARG_MODE:
		return field->type == PROTOBUF_C_TYPE_ENUM;
	case ARG_HANDLER:
		return field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_UINT32;
	default:
		return false;
	}
}

/* Each option names its fields, or states that there is none. */
static void each_option_names_its_rpc_fields(void)
{
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];

		ROW_CHECK(spec, spec->rpc);
		ROW_CHECK(spec, spec->rpc[0] || !spec->from_rpc);
		for (const char *name = spec->rpc; *name; name += *name == ',') {
			size_t len = strcspn(name, ",");
			const ProtobufCFieldDescriptor *field = field_by_name(name, len);

			ROW_CHECK(spec, field);
			ROW_CHECK(spec, spec->from_rpc || (!name[len] && type_matches(spec, field)));
			ROW_CHECK(spec, !spec->rpc_true_only || field->type == PROTOBUF_C_TYPE_BOOL);
			name += len;
		}
	}
}

static bool names_field(const char *fields, const char *name)
{
	for (; *fields; fields += *fields == ',') {
		size_t len = strcspn(fields, ",");

		if (len == strlen(name) && !memcmp(fields, name, len))
			return true;
		fields += len;
	}
	return false;
}

/* Those that are not options, and used only by the service. */
static const char *const service_fields[] = { "notify_scripts", "orphan_pts_master", "pidfd_store_sk", NULL };

static size_t users_of(const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < option_table_nr; i++)
		n += names_field(option_table[i].rpc, name);
	for (size_t i = 0; service_fields[i]; i++)
		n += !strcmp(service_fields[i], name);
	return n;
}

/* No field is missing, none belongs to two options. */
static void each_rpc_field_has_one_option(void)
{
	for (unsigned int i = 0; i < criu_opts__descriptor.n_fields; i++) {
		const char *name = criu_opts__descriptor.fields[i].name;

		if (users_of(name) != 1)
			fprintf(stderr, "criu_opts.%s: %zu options\n", name, users_of(name));
		CHECK(users_of(name) == 1);
	}
	CHECK(users_of("ps.address") == 1 && users_of("ps.port") == 1 && users_of("ps.fd") == 1);
}

static size_t modes_with(const struct mode_list *modes, int rpc)
{
	size_t n = 0;

	for (size_t i = 0; i < modes->n; i++)
		n += modes->v[i].rpc == rpc;
	return n;
}

/* Each RPC number maps to one mode, and each mode with a number to one of RPC. */
static void check_modes(const struct mode_list *modes, const ProtobufCEnumDescriptor *rpc)
{
	for (unsigned int i = 0; i < rpc->n_values; i++)
		CHECK(modes_with(modes, rpc->values[i].value) == 1);
	for (size_t i = 0; i < modes->n; i++) {
		CHECK(modes->v[i].rpc == NOT_IN_RPC || protobuf_c_enum_descriptor_get_value(rpc, modes->v[i].rpc));
		CHECK(mode_by_word(modes, modes->v[i].word) == &modes->v[i]);
	}
}

static void network_locks_are_those_of_rpc(void)
{
	check_modes(&network_lock_modes, &criu_network_lock_method__descriptor);
}

static void pre_dump_modes_are_those_of_rpc(void)
{
	check_modes(&pre_dump_modes, &criu_pre_dump_mode__descriptor);
}

static void cgroup_modes_are_those_of_rpc(void)
{
	check_modes(&cgroup_modes, &criu_cg_mode__descriptor);
}

int main(void)
{
	RUN(each_option_is_described);
	RUN(each_option_is_a_config_line);
	RUN(each_option_names_its_rpc_fields);
	RUN(each_rpc_field_has_one_option);
	RUN(network_locks_are_those_of_rpc);
	RUN(pre_dump_modes_are_those_of_rpc);
	RUN(cgroup_modes_are_those_of_rpc);
	DONE();
}
