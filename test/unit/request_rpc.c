// SPDX-License-Identifier: GPL-2.0-only
/* A client's criu_opts results in the same options as the equivalent command line. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "request/modes.h"
#include "request/option_table.h"
#include "request/rpc.h"
#include "request/validate.h"
#include "request_helper.h"
#include "util_check.h"

#define TEXT_SIZE 16384

/* A client that sets nothing: only required fields, and a log level, which counts even when it is absent. */
static CriuOpts nothing(void)
{
	CriuOpts rpc = CRIU_OPTS__INIT;

	rpc.images_dir_fd = -1;
	rpc.images_dir = (char *)".";
	return rpc;
}

static int ask(struct asked *asked, unsigned int command, const CriuOpts *rpc)
{
	asked_begin(asked, command);
	return request_from_rpc(&asked->req, rpc);
}

/* Set the field of @spec, which has a plain type, to @value, or true. */
static void set_field(CriuOpts *rpc, CriuPageServerInfo *ps, const struct option_spec *spec, const char *value)
{
	const bool in_ps = !strncmp(spec->rpc, "ps.", 3);
	const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field_by_name(
		in_ps ? ps->base.descriptor : rpc->base.descriptor, spec->rpc + (in_ps ? 3 : 0));
	char *message = in_ps ? (char *)ps : (char *)rpc, *at = message + d->offset;
	static char *strings[1];

	if (in_ps)
		rpc->ps = ps;
	if (d->label == PROTOBUF_C_LABEL_REPEATED) {
		strings[0] = (char *)value;
		*(size_t *)(message + d->quantifier_offset) = 1;
		*(char ***)at = strings;
	} else if (d->type == PROTOBUF_C_TYPE_STRING) {
		*(const char **)at = value;
	} else {
		*(protobuf_c_boolean *)(message + d->quantifier_offset) = true;
		*(int *)at = d->type == PROTOBUF_C_TYPE_BOOL ? 1 :
			     d->type == PROTOBUF_C_TYPE_ENUM ? mode_by_word(spec->modes, value)->rpc :
							       atoi(value);
	}
}

/* The values that a client always sets, set through a config file for comparison. */
static void set_always(struct asked *asked)
{
	char line[64];

	snprintf(line, sizeof(line), "log-file criu.log");
	asked_line(asked, line);
	asked->req.opts.restore_detached = true;
}

static bool is_same(struct asked *a, struct asked *b)
{
	static char texts[2][TEXT_SIZE];
	bool same = !strcmp(described(&a->req.opts, texts[0], TEXT_SIZE), described(&b->req.opts, texts[1], TEXT_SIZE));

	if (!same)
		fprintf(stderr, "%s-- instead of --\n%s", texts[0], texts[1]);
	return same;
}

static void plain_fields_equal_options(void)
{
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];
		const char *value = sample_value(spec);
		CriuOpts rpc = nothing();
		CriuPageServerInfo ps = CRIU_PAGE_SERVER_INFO__INIT;
		struct asked by_rpc, by_line;
		bool same, named;
		char line[128];
		int ret;

		if (spec->from_rpc || !spec->rpc[0])
			continue;
		set_field(&rpc, &ps, spec, value);
		ret = ask(&by_rpc, command_of(spec), &rpc);
		named = strstr(by_rpc.reports, spec->rpc) || rpc.ps;
		asked_begin(&by_line, command_of(spec));
		set_always(&by_line);
		snprintf(line, sizeof(line), "%s %s", spec->name, value ? value : "");
		asked_line(&by_line, line);
		if (rpc.ps && command_of(spec) & (CMD_DUMP | CMD_PRE_DUMP))
			asked_line(&by_line, "page-server");
		same = !spec->implemented || is_same(&by_rpc, &by_line);
		asked_end(&by_rpc);
		asked_end(&by_line);
		if (!same || (ret == 0) != spec->implemented || (ret < 0 && !named))
			fprintf(stderr, "%s (--%s): %d: %s\n", spec->rpc, spec->name, ret, by_rpc.reports);
		CHECK(same && (ret == 0) == spec->implemented && (ret == 0 || named));
	}
}

/* After a config file has set it. */
static void false_resets(void)
{
	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];
		CriuOpts rpc = nothing();
		struct asked asked;
		const ProtobufCFieldDescriptor *d;
		bool is;

		if (spec->kind != ARG_NONE || spec->from_rpc || !spec->rpc[0])
			continue;
		d = protobuf_c_message_descriptor_get_field_by_name(rpc.base.descriptor, spec->rpc);
		*(protobuf_c_boolean *)((char *)&rpc + d->quantifier_offset) = true;
		asked_begin(&asked, command_of(spec));
		*(bool *)((char *)&asked.req.opts + spec->offset) = true;
		CHECK(request_from_rpc(&asked.req, &rpc) == 0);
		is = *(bool *)((char *)&asked.req.opts + spec->offset);
		asked_end(&asked);
		CHECK(is == spec->rpc_true_only);
	}
}

static void false_of_these_has_no_effect(void)
{
	static const char *const names[] = { "leave_running", "leave_stopped", "tls", "tls_no_cn_verify" };
	size_t nr = 0;

	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];
		bool listed = false;

		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			listed |= !strcmp(spec->rpc, names[j]);
		CHECK(spec->rpc_true_only == listed);
		nr += listed;
	}
	CHECK(nr == sizeof(names) / sizeof(names[0]));
}

static void fields_for_other_commands_are_ignored(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_pid = true;
	rpc.pid = 17;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && !asked.req.opts.pid && !asked.reports[0]);
	asked_end(&asked);
	rpc.lsm_profile = (char *)"apparmor:x";
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.pid == 17 && !asked.reports[0]);
	asked_end(&asked);
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && !strcmp(asked.req.opts.lsm_profile, "apparmor:x"));
	asked_end(&asked);
	rpc.lsm_profile = NULL;
	rpc.lsm_mount_context = (char *)"x";
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && !strcmp(asked.req.opts.lsm_mount_context, "x"));
	asked_end(&asked);
}

static void a_client_that_sets_nothing(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	asked_begin(&asked, CMD_DUMP);
	CHECK(asked_line(&asked, "verbosity 4") == 0 && asked_line(&asked, "timeout 3") == 0);
	CHECK(request_from_rpc(&asked.req, &rpc) == 0);
	CHECK_STR(asked.req.opts.log_file, "criu.log");
	CHECK(asked.req.opts.log_level == 2 && asked.req.opts.timeout_sec == 3 && asked.req.opts.status_fd == -1);
	asked_end(&asked);
	rpc.images_dir = NULL;
	CHECK(ask(&asked, CMD_DUMP, &rpc) < 0 && strstr(asked.reports, "images_dir_fd"));
	asked_end(&asked);
	CHECK(ask(&asked, CMD_CHECK, &rpc) == 0);
	asked_end(&asked);
}

static void directories_and_log(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.images_dir_fd = 1000;
	rpc.has_work_dir_fd = rpc.has_log_level = rpc.has_log_to_stderr = rpc.log_to_stderr = true;
	rpc.work_dir_fd = 1001;
	rpc.log_level = 9;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0);
	CHECK(asked.req.opts.images_dir_fd == 1000 && asked.req.opts.work_dir_fd == 1001);
	CHECK(asked.req.opts.log_level == 4 && !asked.req.opts.log_file);
	asked_end(&asked);
	rpc.log_file = (char *)"dump.log"; /* wins over log_to_stderr */
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0);
	CHECK_STR(asked.req.opts.log_file, "dump.log");
	asked_end(&asked);
	rpc.log_file = (char *)"../dump.log";
	CHECK(ask(&asked, CMD_DUMP, &rpc) < 0 && strstr(asked.reports, "log_file: '../dump.log'"));
	asked_end(&asked);
}

static void inherited_descriptors(void)
{
	InheritFd one = INHERIT_FD__INIT, two = INHERIT_FD__INIT, *fds[] = { &one, &two };
	CriuOpts rpc = nothing();
	struct asked asked;

	one.fd = 3;
	one.key = (char *)"pipe:[17]";
	two.key = (char *)"extRootNetNS";
	rpc.inherit_fd = fds;
	rpc.n_inherit_fd = 2;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0);
	CHECK(asked.req.opts.inherit_nr == 2 && asked.req.opts.inherit[0].fd == 3 && !asked.req.opts.inherit[1].fd);
	CHECK_STR(asked.req.opts.inherit[1].key, "extRootNetNS");
	asked_end(&asked);
	two.fd = -1;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == -EINVAL && strstr(asked.reports, "inherit_fd: fd -1"));
	asked_end(&asked);
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && !asked.req.opts.inherit_nr);
	asked_end(&asked);
}

static void unix_sockets(void)
{
	UnixSk one = UNIX_SK__INIT, *inodes[] = { &one };
	CriuOpts rpc = nothing();
	struct asked asked;

	one.inode = 4294967295u;
	rpc.unix_sk_ino = inodes;
	rpc.n_unix_sk_ino = 1;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && !asked.req.opts.ext_unix_sk && !asked.req.opts.ext_unix_inodes.n);
	asked_end(&asked);
	rpc.has_ext_unix_sk = rpc.ext_unix_sk = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.ext_unix_sk && asked.req.opts.ext_unix_inodes.n == 1);
	CHECK_STR(asked.req.opts.ext_unix_inodes.v[0], "4294967295");
	asked_end(&asked);
	one.inode = 0;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "unix_sk_ino"));
	asked_end(&asked);
}

static void command_after_restore(void)
{
	char *words[] = { (char *)"/bin/true", (char *)"x" };
	CriuOpts rpc = nothing();
	struct asked asked;

	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.restore_detached);
	asked_end(&asked);
	rpc.exec_cmd = words;
	rpc.n_exec_cmd = 2;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.exec_cmd.n == 2);
	CHECK(request_validate(&asked.req) == 0 && asked.req.opts.restore_detached);
	asked_end(&asked);
	rpc.has_rst_sibling = rpc.rst_sibling = true;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && request_validate(&asked.req) == -EINVAL);
	asked_end(&asked);
}

static void left_stopped_wins(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_leave_running = rpc.leave_running = rpc.has_leave_stopped = rpc.leave_stopped = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.leave_stopped && !asked.req.opts.leave_running);
	asked_end(&asked);
}

static void cpu_capabilities(void)
{
	static const struct {
		uint32_t rpc, ours;
	} cases[] = {
		{ 0, CPU_CAP_IMAGE },
		{ 5, CPU_CAP_DEFAULT | CPU_CAP_IMAGE },
		{ 2, CPU_CAP_CPU | CPU_CAP_IMAGE },
		{ UINT32_MAX, CPU_CAP_ALL | CPU_CAP_IMAGE },
	};
	CriuOpts rpc = nothing();
	struct asked asked;

	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.cpu_cap == CPU_CAP_DEFAULT);
	asked_end(&asked);
	rpc.has_cpu_cap = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rpc.cpu_cap = cases[i].rpc;
		CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.cpu_cap == cases[i].ours);
		asked_end(&asked);
	}
}

static void cgroups(void)
{
	CgroupRoot named = CGROUP_ROOT__INIT, general = CGROUP_ROOT__INIT, *roots[] = { &named, &general };
	CriuOpts rpc = nothing();
	struct asked asked;

	named.path = general.path = (char *)"/x";
	rpc.has_manage_cgroups = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.cgroup_mode == CGROUP_MODE_IGNORE);
	asked_end(&asked);
	rpc.has_manage_cgroups_mode = true; /* wins */
	rpc.manage_cgroups_mode = CRIU_CG_MODE__CG_NONE;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.cgroup_mode == CGROUP_MODE_NONE);
	CHECK(!strstr(asked.reports, "warning"));
	asked_end(&asked);
	rpc.has_manage_cgroups_mode = false;
	rpc.manage_cgroups = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.cgroup_mode == CGROUP_MODE_SOFT);
	asked_end(&asked);
	roots[0]->ctrl = (char *)"name=systemd";
	rpc.cg_root = roots;
	rpc.n_cg_root = 2;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.cgroup_roots.n == 2);
	CHECK(!strcmp(asked.req.opts.cgroup_roots.v[0], "name=systemd:/x"));
	CHECK(!strcmp(asked.req.opts.cgroup_roots.v[1], "/x"));
	asked_end(&asked);
	rpc.n_cg_root = 0;
	rpc.has_manage_cgroups_mode = true;
	rpc.manage_cgroups_mode = 17;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "manage_cgroups_mode: 17"));
	asked_end(&asked);
}

static void the_process_to_dump(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_pid = true;
	rpc.pid = 4711;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.pid == 4711);
	asked_end(&asked);
	for (rpc.pid = 0; rpc.pid > -3; rpc.pid--) {
		CHECK(ask(&asked, CMD_DUMP, &rpc) == -ESRCH && strstr(asked.reports, "no such process"));
		asked_end(&asked);
	}
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0);
	asked_end(&asked);
}

/* A restore takes it from the images. */
static void network_lock_is_for_dumps(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_network_lock = true;
	rpc.network_lock = CRIU_NETWORK_LOCK_METHOD__SKIP;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0 && asked.req.opts.network_lock == NETWORK_LOCK_SKIP);
	asked_end(&asked);
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.network_lock == NETWORK_LOCK_DEFAULT);
	asked_end(&asked);
	rpc.network_lock = 17;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == -EINVAL);
	asked_end(&asked);
}

static void mntns_compat_mode_is_for_restores(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_mntns_compat_mode = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0);
	asked_end(&asked);
	rpc.mntns_compat_mode = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "mntns_compat_mode"));
	asked_end(&asked);
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.mntns_compat_mode);
	asked_end(&asked);
}

/* Its directories are known even if a field before or after them is refused: the log is there. */
static void a_refused_client_has_directories(void)
{
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.has_pid = rpc.has_network_lock = true;
	rpc.network_lock = 17;
	rpc.images_dir_fd = 1000;
	rpc.log_file = (char *)"dump.log";
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -ESRCH && strstr(asked.reports, "pid 0"));
	CHECK(asked.req.opts.images_dir_fd == 1000 && asked.req.opts.log_file);
	CHECK_STR(asked.req.opts.log_file, "dump.log");
	asked_end(&asked);
}

static void undefined_numbers(void)
{
	CriuOpts rpc = nothing();
	JoinNamespace join = JOIN_NAMESPACE__INIT, *joins[] = { &join };
	struct asked asked;

	rpc.has_network_lock = true;
	rpc.network_lock = 17;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "network_lock (--network-lock): 17"));
	asked_end(&asked);
	rpc = nothing();
	rpc.has_empty_ns = true;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == 0);
	asked_end(&asked);
	rpc.empty_ns = CLONE_NEWUTS;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "empty_ns: 0x4000000"));
	asked_end(&asked);
	rpc = nothing();
	join.ns = (char *)"net";
	join.ns_file = (char *)"17";
	rpc.n_join_ns = 1;
	rpc.join_ns = joins;
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == 0 && asked.req.opts.join_ns.n == 1 &&
	      !strcmp(asked.req.opts.join_ns.v[0], "net:17"));
	asked_end(&asked);
	join.ns_file = (char *)"";
	CHECK(ask(&asked, CMD_RESTORE, &rpc) == -EINVAL && strstr(asked.reports, "join_ns (--join-ns): "));
	asked_end(&asked);
	rpc = nothing();
	rpc.has_pid = true;
	rpc.pid = -17;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -ESRCH && strstr(asked.reports, "pid -17"));
	asked_end(&asked);
}

static void page_servers(void)
{
	static const struct {
		int32_t field;
		uint16_t port;
	} cases[] = { { 7077, 7077 }, { 0, 0 }, { -1, 65535 }, { -32768, 32768 }, { 65535, 65535 } };
	CriuPageServerInfo ps = CRIU_PAGE_SERVER_INFO__INIT;
	CriuOpts rpc = nothing();
	struct asked asked;

	rpc.ps = &ps;
	ps.address = (char *)"10.0.0.1";
	ps.has_port = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const unsigned int commands[] = { CMD_DUMP, CMD_PAGE_SERVER };

		ps.port = cases[i].field;
		for (size_t j = 0; j < 2; j++) {
			CHECK(ask(&asked, commands[j], &rpc) == 0);
			CHECK(asked.req.opts.port == cases[i].port && asked.req.opts.page_server == !j);
			CHECK_STR(asked.req.opts.address, "10.0.0.1");
			CHECK(asked.req.opts.ps_socket == -1);
			asked_end(&asked);
		}
	}
	ps.port = 65536;
	CHECK(ask(&asked, CMD_DUMP, &rpc) == -EINVAL && strstr(asked.reports, "ps.port (--port): "));
	asked_end(&asked);
	ps.has_port = false;
	ps.has_fd = true;
	ps.fd = 5;
	CHECK(ask(&asked, CMD_PAGE_SERVER, &rpc) == 0 && asked.req.opts.ps_socket == 5);
	asked_end(&asked);
}

/* A request as it comes in a packet: defaults of the .proto must not count as set by the client. */
static void through_the_wire(void)
{
	uint8_t packet[512];
	CriuOpts rpc = nothing(), *back;
	struct asked asked;
	size_t len;

	rpc.has_pid = rpc.has_tcp_established = rpc.tcp_established = true;
	rpc.pid = 4711;
	len = criu_opts__pack(&rpc, packet);
	back = criu_opts__unpack(NULL, len, packet);
	CHECK(back && ask(&asked, CMD_DUMP, back) == 0);
	CHECK(asked.req.opts.pid == 4711 && asked.req.opts.tcp_established);
	CHECK(asked.req.opts.cpu_cap == CPU_CAP_DEFAULT && asked.req.opts.network_lock == NETWORK_LOCK_DEFAULT);
	asked_end(&asked);
	criu_opts__free_unpacked(back, NULL);
}

int main(void)
{
	RUN(plain_fields_equal_options);
	RUN(false_resets);
	RUN(false_of_these_has_no_effect);
	RUN(fields_for_other_commands_are_ignored);
	RUN(a_client_that_sets_nothing);
	RUN(directories_and_log);
	RUN(inherited_descriptors);
	RUN(unix_sockets);
	RUN(command_after_restore);
	RUN(left_stopped_wins);
	RUN(cpu_capabilities);
	RUN(cgroups);
	RUN(the_process_to_dump);
	RUN(network_lock_is_for_dumps);
	RUN(mntns_compat_mode_is_for_restores);
	RUN(a_refused_client_has_directories);
	RUN(undefined_numbers);
	RUN(page_servers);
	RUN(through_the_wire);
	DONE();
}
