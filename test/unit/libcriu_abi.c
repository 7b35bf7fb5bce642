// SPDX-License-Identifier: GPL-2.0-only
/*
 * The binary interface of libcriu 4.2. The declarations below are those of its public header, written down again: the
 * compiler rejects a criu.h that differs. Calls go through the types declared here. Messages have the layout of 4.2,
 * since programs that use rpc.pb-c.h contain it.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <criu/criu.h>
#include <rpc.pb-c.h>
#include <version.h>

#include "util_check.h"

/* Global and local: the latter take the options first. */
#define BOTH(result, name, ...)          \
	result criu_##name(__VA_ARGS__); \
	result criu_local_##name(criu_opts *, __VA_ARGS__);
#define BOTH_VOID(result, name)   \
	result criu_##name(void); \
	result criu_local_##name(criu_opts *);

/* clang-format off */
#define STRINGS(X) \
	X(set_service_address) X(set_service_binary) X(set_parent_images) X(set_log_file) X(set_root) X(set_freeze_cgroup) \
	X(set_lsm_profile) X(set_lsm_mount_context) X(set_config_file) X(add_enable_fs) X(add_skip_mnt) X(add_irmap_path) \
	X(add_external)
#define BOOLS(X) \
	X(set_leave_running) X(set_ext_unix_sk) X(set_tcp_established) X(set_tcp_skip_in_flight) X(set_tcp_close) \
	X(set_weak_sysctls) X(set_evasive_devices) X(set_shell_job) X(set_skip_file_rwx_check) X(set_unprivileged) \
	X(set_orphan_pts_master) X(set_file_locks) X(set_track_mem) X(set_auto_dedup) X(set_force_irmap) X(set_link_remap) \
	X(set_manage_cgroups) X(set_auto_ext_mnt) X(set_ext_sharing) X(set_ext_masters) X(set_mntns_compat_mode)
#define INTS(X) \
	X(set_service_fd) X(set_images_dir_fd) X(set_work_dir_fd) X(set_pid) X(set_log_level) X(set_pidfd_store_sk) \
	X(set_empty_ns)
/* clang-format on */
#define UNSIGNEDS(X) X(set_cpu_cap) X(set_timeout) X(set_ghost_limit)
#define LOCAL_STRINGS(X) X(add_cg_props) X(add_cg_props_file) X(add_cg_dump_controller) X(add_cg_yard)

#define DECLARE_STRING(name) BOTH(int, name, const char *)
#define DECLARE_BOOL(name) BOTH(void, name, bool)
#define DECLARE_INT(name) BOTH(void, name, int)
#define DECLARE_UNSIGNED(name) BOTH(void, name, unsigned int)
#define DECLARE_LOCAL(name) int criu_local_##name(criu_opts *, const char *);

STRINGS(DECLARE_STRING)
BOOLS(DECLARE_BOOL)
INTS(DECLARE_INT)
UNSIGNEDS(DECLARE_UNSIGNED)
LOCAL_STRINGS(DECLARE_LOCAL)
BOTH_VOID(int, check)
BOTH_VOID(int, dump)
BOTH_VOID(int, pre_dump)
BOTH_VOID(int, restore)
BOTH_VOID(int, restore_child)
BOTH_VOID(int, get_version)
BOTH_VOID(void, free_opts)
BOTH(int, add_unix_sk, unsigned int)
BOTH(void, set_manage_cgroups_mode, enum criu_cg_mode)
BOTH(int, set_network_lock, enum criu_network_lock_method)
BOTH(int, set_pre_dump_mode, enum criu_pre_dump_mode)
BOTH(int, add_ext_mount, const char *, const char *)
BOTH(int, add_veth_pair, const char *, const char *)
BOTH(int, add_cg_root, const char *, const char *)
BOTH(int, join_ns_add, const char *, const char *, const char *)
BOTH(int, add_inherit_fd, int, const char *)
BOTH(int, set_page_server_address_port, const char *, int)
BOTH(int, set_exec_cmd, int, char *[])
BOTH(void, set_notify_cb, int (*)(char *, criu_notify_arg_t))
BOTH(int, dump_iters, int (*)(criu_predump_info))
BOTH(int, check_version, int)
BOTH(int, feature_check, struct criu_feature_check *, size_t)
int criu_init_opts(void);
int criu_local_init_opts(criu_opts **);
int criu_notify_pid(criu_notify_arg_t);
int criu_get_orphan_pts_master_fd(void);
/* Not in the header. */
void criu_free_service(criu_opts *);
extern const char *criu_lib_version;

typedef CriuNotify *criu_notify_arg_t;
typedef void *criu_predump_info;
typedef struct criu_opts criu_opts;

_Static_assert(CRIU_LOG_UNSET == -1 && CRIU_LOG_MSG == 0 && CRIU_LOG_ERROR == 1 && CRIU_LOG_WARN == 2 &&
		       CRIU_LOG_INFO == 3 && CRIU_LOG_DEBUG == 4,
	       "log levels");
_Static_assert(CRIU_COMM_SK == 0 && CRIU_COMM_FD == 1 && CRIU_COMM_BIN == 2 && sizeof(enum criu_service_comm) == 4, "");
_Static_assert(CRIU_CG_MODE_IGNORE == 0 && CRIU_CG_MODE_NONE == 1 && CRIU_CG_MODE_PROPS == 2 &&
		       CRIU_CG_MODE_SOFT == 3 && CRIU_CG_MODE_FULL == 4 && CRIU_CG_MODE_STRICT == 5 &&
		       CRIU_CG_MODE_DEFAULT == 6,
	       "cgroup modes");
_Static_assert(CRIU_NETWORK_LOCK_IPTABLES == 1 && CRIU_NETWORK_LOCK_NFTABLES == 2 && CRIU_NETWORK_LOCK_SKIP == 3, "");
_Static_assert(CRIU_PRE_DUMP_SPLICE == 1 && CRIU_PRE_DUMP_READ == 2, "");
_Static_assert(sizeof(struct criu_feature_check) == 3 && offsetof(struct criu_feature_check, mem_track) == 0 &&
		       offsetof(struct criu_feature_check, lazy_pages) == 1 &&
		       offsetof(struct criu_feature_check, pidfd_store) == 2,
	       "three flags");
_Static_assert(CRIU_VERSION_MAJOR == 4 && CRIU_VERSION_MINOR == 2, "");

/* Programs contain messages, and read members: a member that comes before the end, or more of them, breaks them. */
_Static_assert(sizeof(CriuNotify) == sizeof(ProtobufCMessage) + 16, "");
_Static_assert(offsetof(CriuNotify, script) == sizeof(ProtobufCMessage), "");
_Static_assert(offsetof(CriuNotify, pid) == sizeof(ProtobufCMessage) + 12, "");

struct field {
	uint32_t id;
	char label; /* 1 required, ? optional, * repeated */
	ProtobufCType type;
};

/* criu_opts of 4.2 in the order of its members; 0 ends the list. The offsets follow from it. */
#define S PROTOBUF_C_TYPE_STRING
#define B PROTOBUF_C_TYPE_BOOL
#define I PROTOBUF_C_TYPE_INT32
#define U PROTOBUF_C_TYPE_UINT32
#define M PROTOBUF_C_TYPE_MESSAGE
#define E PROTOBUF_C_TYPE_ENUM
static const struct field opts_4_2[] = {
	{ 1, '1', I },	{ 68, '?', S }, { 2, '?', I },	{ 3, '?', B },	{ 4, '?', B },	{ 5, '?', B },	{ 6, '?', B },
	{ 7, '?', B },	{ 8, '?', B },	{ 9, '?', I },	{ 10, '?', S }, { 11, '?', M }, { 12, '?', B }, { 13, '?', S },
	{ 14, '?', S }, { 15, '?', B }, { 16, '?', B }, { 17, '?', I }, { 18, '?', B }, { 19, '*', M }, { 20, '?', U },
	{ 21, '?', B }, { 22, '*', S }, { 23, '*', M }, { 24, '?', B }, { 25, '*', M }, { 26, '?', B }, { 27, '*', M },
	{ 28, '?', B }, { 29, '?', B }, { 30, '?', B }, { 31, '*', S }, { 32, '*', S }, { 33, '*', M }, { 34, '?', E },
	{ 35, '?', U }, { 36, '*', S }, { 37, '*', S }, { 38, '?', U }, { 39, '*', M }, { 41, '?', S }, { 42, '?', S },
	{ 43, '*', S }, { 44, '?', S }, { 45, '?', U }, { 46, '?', B }, { 47, '?', B }, { 48, '?', B }, { 49, '?', I },
	{ 50, '?', B }, { 51, '?', S }, { 52, '?', B }, { 53, '?', S }, { 54, '?', S }, { 55, '?', S }, { 56, '?', S },
	{ 57, '?', S }, { 58, '?', B }, { 59, '?', B }, { 60, '?', S }, { 61, '?', E }, { 62, '?', I }, { 63, '?', S },
	{ 64, '?', E }, { 65, '?', B }, { 66, '?', B }, { 67, '?', B }, { 69, '?', B }, { 70, '?', B }, { 71, '?', B },
	{ 0 },
};

/* protobuf-c: has_X and n_X precede X; both are of natural size and alignment. */
static size_t place(size_t *at, size_t size)
{
	size_t here = (*at + size - 1) / size * size;

	*at = here + size;
	return here;
}

static void options_have_the_layout_of_4_2(void)
{
	size_t at = sizeof(ProtobufCMessage);

	for (const struct field *want = opts_4_2; want->id; want++) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(&criu_opts__descriptor, want->id);
		bool pointer = want->label == '*' || want->type == S || want->type == M;

		CHECK(field && field->type == want->type);
		CHECK(field->label == (want->label == '*' ? PROTOBUF_C_LABEL_REPEATED :
				       want->label == '1' ? PROTOBUF_C_LABEL_REQUIRED :
							    PROTOBUF_C_LABEL_OPTIONAL));
		if (want->label == '*')
			place(&at, sizeof(size_t));
		else if (want->label == '?' && !pointer)
			place(&at, sizeof(protobuf_c_boolean));
		CHECK(field->offset == place(&at, pointer ? sizeof(void *) : 4));
	}
	CHECK(criu_opts__descriptor.n_fields == sizeof(opts_4_2) / sizeof(opts_4_2[0]) - 1);
	CHECK(sizeof(CriuOpts) == (at + 7) / 8 * 8 && criu_opts__descriptor.sizeof_message == sizeof(CriuOpts));
}

static void other_messages_have_as_many_fields_as_in_4_2(void)
{
	CHECK(criu_req__descriptor.n_fields == 6);
	CHECK(criu_resp__descriptor.n_fields == 11);
	CHECK(criu_notify__descriptor.n_fields == 2);
	CHECK(criu_features__descriptor.n_fields == 3);
	CHECK(criu_version__descriptor.n_fields == 6);
	CHECK(criu_dump_resp__descriptor.n_fields == 1);
	CHECK(criu_restore_resp__descriptor.n_fields == 1);
	CHECK(criu_page_server_info__descriptor.n_fields == 4);
	CHECK(criu_veth_pair__descriptor.n_fields == 2);
	CHECK(ext_mount_map__descriptor.n_fields == 2);
	CHECK(join_namespace__descriptor.n_fields == 3);
	CHECK(inherit_fd__descriptor.n_fields == 2);
	CHECK(cgroup_root__descriptor.n_fields == 2);
	CHECK(unix_sk__descriptor.n_fields == 1);
}

/* A program refers to descriptors by its own copy of them: the library must use the same. */
static void messages_of_a_program(void)
{
	CriuReq req = CRIU_REQ__INIT, *back;
	CriuOpts opts = CRIU_OPTS__INIT;
	uint8_t packet[100];
	size_t size;

	CHECK(opts.images_dir_fd == -1 && opts.log_level == 2 && opts.ghost_limit == 1 << 20);
	req.type = CRIU_REQ_TYPE__SINGLE_PRE_DUMP;
	req.opts = &opts;
	opts.has_pid = true;
	opts.pid = 5;
	size = criu_req__pack(&req, packet);
	CHECK(size == criu_req__get_packed_size(&req));
	back = criu_req__unpack(NULL, size, packet);
	CHECK(back && back->type == CRIU_REQ_TYPE__SINGLE_PRE_DUMP && back->opts->pid == 5);
	CHECK(back->base.descriptor == &criu_req__descriptor);
	criu_req__free_unpacked(back, NULL);
}

/* As crun and OpenJ9 do: every name by dlsym(3), from the unversioned file. */
#define LOOK(name) CHECK(dlsym(lib, "criu_" #name) && dlsym(lib, "criu_local_" #name));
static void names(void)
{
	char path[4096], *slash;
	Dl_info here;
	void *lib;

	CHECK(dladdr((void *)criu_dump, &here) && realpath(here.dli_fname, path));
	slash = strrchr(path, '/');
	CHECK(slash);
	strcpy(slash, "/libcriu.so");
	lib = dlopen(path, RTLD_NOW);
	CHECK(lib);
	STRINGS(LOOK)
	BOOLS(LOOK)
	INTS(LOOK)
	UNSIGNEDS(LOOK)
	CHECK_STR(*(const char **)dlsym(lib, "criu_lib_version"), CRIU_VERSION);
	dlclose(lib);
}

static void what_the_header_lacks(void)
{
	criu_opts *opts;

	CHECK_STR(criu_lib_version, CRIU_VERSION);
	CHECK(!criu_local_init_opts(&opts));
	CHECK(!criu_local_set_service_binary(opts, "/nonexistent/criu"));
	criu_free_service(opts);
	criu_free_service(opts);
	criu_local_free_opts(opts);
}

int main(void)
{
	RUN(options_have_the_layout_of_4_2);
	RUN(other_messages_have_as_many_fields_as_in_4_2);
	RUN(messages_of_a_program);
	RUN(names);
	RUN(what_the_header_lacks);
	DONE();
}
