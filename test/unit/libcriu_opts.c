// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each setter changes its field of the request, and nothing else: the bytes on the wire are compared with those of a
 * message that contains only this field. Each is tried with local options, and with those of the process.
 */
#include <errno.h>

#include "libcriu_fake.h"
#include "util_check.h"

/* What the last call of sent() sent is opts. */
static bool same(const CriuReq *req, const CriuOpts *opts)
{
	uint8_t *a, *b;
	bool equal;

	if (!req || !req->opts || criu_opts__get_packed_size(req->opts) != criu_opts__get_packed_size(opts))
		return false;
	a = malloc(criu_opts__get_packed_size(opts) + 1);
	b = malloc(criu_opts__get_packed_size(opts) + 1);
	criu_opts__pack(req->opts, a);
	criu_opts__pack(opts, b);
	equal = !memcmp(a, b, criu_opts__get_packed_size(opts));
	free(a);
	free(b);
	return equal;
}

/* Dumps with a service that agrees. opts NULL: the options of the process. */
static bool sends(criu_opts *opts, const CriuOpts *want)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__DUMP, true);
	struct fake fake;
	CriuReq *req;
	bool good;

	if (!fake_open(&fake) || !fake_answer(fake.service, &resp, -1))
		return false;
	if (opts) {
		criu_local_set_service_fd(opts, fake.client);
		good = criu_local_dump(opts) == 0;
	} else {
		criu_set_service_fd(fake.client);
		good = criu_dump() == 0;
	}
	req = fake_request(fake.service);
	good = good && same(req, want);
	if (req)
		criu_req__free_unpacked(req, NULL);
	fake_close(&fake);
	return good;
}

#define INIT_WANT(want) CriuOpts want = CRIU_OPTS__INIT

/* set: with local options `opts`; set_all: with those of the process. */
#define CASE(set, set_all, ...)                                    \
	do {                                                       \
		criu_opts *opts = NULL;                            \
		INIT_WANT(want);                                   \
		bool local_, global_;                              \
                                                                   \
		__VA_ARGS__;                                       \
		CHECK(!criu_local_init_opts(&opts));               \
		CHECK(!criu_init_opts());                          \
		set;                                               \
		set_all;                                           \
		local_ = sends(opts, &want);                       \
		global_ = sends(NULL, &want);                      \
		criu_local_free_opts(opts);                        \
		criu_free_opts();                                  \
		if (!local_ || !global_)                           \
			printf("# %s: not what was sent\n", #set); \
		CHECK(local_);                                     \
		CHECK(global_);                                    \
	} while (0)

#define LOCAL_ONLY(set, ...)                         \
	do {                                         \
		criu_opts *opts = NULL;              \
		INIT_WANT(want);                     \
		bool local_;                         \
                                                     \
		__VA_ARGS__;                         \
		CHECK(!criu_local_init_opts(&opts)); \
		CHECK(!(set));                       \
		local_ = sends(opts, &want);         \
		criu_local_free_opts(opts);          \
		CHECK(local_);                       \
	} while (0)

#define VALUE(name, field, value) \
	CASE(criu_local_##name(opts, value), criu_##name(value), want.has_##field = true; want.field = value)
#define FLAG(name, field)         \
	VALUE(name, field, true); \
	VALUE(name, field, false)
#define STRING(name, field) \
	CASE(CHECK(!criu_local_##name(opts, #field)), CHECK(!criu_##name(#field)), want.field = (char *)#field)
/* Twice: the order stays. */
#define STRINGS(name, field)                                                                                    \
	CASE(CHECK(!criu_local_##name(opts, "one") && !criu_local_##name(opts, "two")),                         \
	     CHECK(!criu_##name("one") && !criu_##name("two")), char *two[] = { (char *)"one", (char *)"two" }; \
	     want.n_##field = 2; want.field = two)

static void nothing(void)
{
	CASE((void)0, (void)0, (void)0);
}

static void flags(void)
{
	FLAG(set_leave_running, leave_running);
	FLAG(set_ext_unix_sk, ext_unix_sk);
	FLAG(set_tcp_established, tcp_established);
	FLAG(set_tcp_skip_in_flight, tcp_skip_in_flight);
	FLAG(set_tcp_close, tcp_close);
	FLAG(set_weak_sysctls, weak_sysctls);
	FLAG(set_evasive_devices, evasive_devices);
	FLAG(set_shell_job, shell_job);
	FLAG(set_skip_file_rwx_check, skip_file_rwx_check);
	FLAG(set_unprivileged, unprivileged);
	FLAG(set_orphan_pts_master, orphan_pts_master);
}

static void more_flags(void)
{
	FLAG(set_file_locks, file_locks);
	FLAG(set_track_mem, track_mem);
	FLAG(set_auto_dedup, auto_dedup);
	FLAG(set_force_irmap, force_irmap);
	FLAG(set_link_remap, link_remap);
	FLAG(set_manage_cgroups, manage_cgroups);
	FLAG(set_auto_ext_mnt, auto_ext_mnt);
	FLAG(set_ext_sharing, ext_sharing);
	FLAG(set_ext_masters, ext_masters);
	FLAG(set_mntns_compat_mode, mntns_compat_mode);
}

static void numbers(void)
{
	VALUE(set_work_dir_fd, work_dir_fd, 7);
	VALUE(set_pid, pid, 4711);
	VALUE(set_log_level, log_level, CRIU_LOG_DEBUG);
	VALUE(set_pidfd_store_sk, pidfd_store_sk, 9);
	VALUE(set_empty_ns, empty_ns, 0x40000000);
	VALUE(set_cpu_cap, cpu_cap, 0xffffffff);
	VALUE(set_timeout, timeout, 30);
	VALUE(set_ghost_limit, ghost_limit, 1U << 31);
	CASE(criu_local_set_images_dir_fd(opts, 5), criu_set_images_dir_fd(5), want.images_dir_fd = 5);
}

static void strings(void)
{
	STRING(set_parent_images, parent_img);
	STRING(set_log_file, log_file);
	STRING(set_root, root);
	STRING(set_freeze_cgroup, freeze_cgroup);
	STRING(set_lsm_profile, lsm_profile);
	STRING(set_lsm_mount_context, lsm_mount_context);
	STRING(set_config_file, config_file);
	/* the last one counts */
	CASE(CHECK(!criu_local_set_root(opts, "a") && !criu_local_set_root(opts, "b")),
	     CHECK(!criu_set_root("a") && !criu_set_root("b")), want.root = (char *)"b");
	LOCAL_ONLY(criu_local_add_cg_props(opts, "p"), want.cgroup_props = (char *)"p");
	LOCAL_ONLY(criu_local_add_cg_props_file(opts, "p"), want.cgroup_props_file = (char *)"p");
	LOCAL_ONLY(criu_local_add_cg_yard(opts, "p"), want.cgroup_yard = (char *)"p");
	LOCAL_ONLY(criu_local_add_cg_dump_controller(opts, "p"), char *one = (char *)"p";
		   want.n_cgroup_dump_controller = 1; want.cgroup_dump_controller = &one);
}

static void lists(void)
{
	STRINGS(add_enable_fs, enable_fs);
	STRINGS(add_skip_mnt, skip_mnt);
	STRINGS(add_irmap_path, irmap_scan_paths);
	STRINGS(add_external, external);
}

static void modes(void)
{
	for (int mode = CRIU_CG_MODE_IGNORE; mode <= CRIU_CG_MODE_DEFAULT; mode++)
		CASE(criu_local_set_manage_cgroups_mode(opts, (enum criu_cg_mode)mode),
		     criu_set_manage_cgroups_mode((enum criu_cg_mode)mode), want.has_manage_cgroups_mode = true;
		     want.manage_cgroups_mode = (CriuCgMode)mode);
	for (int lock = 1; lock <= 3; lock++)
		CASE(CHECK(!criu_local_set_network_lock(opts, (enum criu_network_lock_method)lock)),
		     CHECK(!criu_set_network_lock((enum criu_network_lock_method)lock)), want.has_network_lock = true;
		     want.network_lock = (CriuNetworkLockMethod)lock);
	for (int mode = 1; mode <= 2; mode++)
		CASE(CHECK(!criu_local_set_pre_dump_mode(opts, (enum criu_pre_dump_mode)mode)),
		     CHECK(!criu_set_pre_dump_mode((enum criu_pre_dump_mode)mode)), want.has_pre_dump_mode = true;
		     want.pre_dump_mode = (CriuPreDumpMode)mode);
	CASE(CHECK(criu_local_set_network_lock(opts, (enum criu_network_lock_method)0) == -1),
	     CHECK(criu_set_network_lock((enum criu_network_lock_method)4) == -1), (void)0);
	CASE(CHECK(criu_local_set_pre_dump_mode(opts, (enum criu_pre_dump_mode)3) == -1),
	     CHECK(criu_set_pre_dump_mode((enum criu_pre_dump_mode)0) == -1), (void)0);
}

static void unix_sockets(void)
{
	UnixSk one = UNIX_SK__INIT, two = UNIX_SK__INIT, *both[] = { &one, &two };

	one.inode = 11;
	two.inode = 22;
	CASE(CHECK(!criu_local_add_unix_sk(opts, 11) && !criu_local_add_unix_sk(opts, 22)),
	     CHECK(!criu_add_unix_sk(11) && !criu_add_unix_sk(22)), want.has_ext_unix_sk = want.ext_unix_sk = true;
	     want.n_unix_sk_ino = 2; want.unix_sk_ino = both);
	CASE(criu_local_set_ext_unix_sk(opts, false);
	     CHECK(criu_local_add_unix_sk(opts, 11) == -1), criu_set_ext_unix_sk(false);
	     CHECK(criu_add_unix_sk(11) == -1), want.has_ext_unix_sk = true);
}

static void pairs(void)
{
	ExtMountMap mount = EXT_MOUNT_MAP__INIT, *mounts = &mount;
	CriuVethPair pair = CRIU_VETH_PAIR__INIT, *veths = &pair;
	CgroupRoot all = CGROUP_ROOT__INIT, some = CGROUP_ROOT__INIT, *roots[] = { &all, &some };

	mount.key = (char *)"/a";
	mount.val = (char *)"b";
	CASE(CHECK(!criu_local_add_ext_mount(opts, "/a", "b")), CHECK(!criu_add_ext_mount("/a", "b")),
	     want.n_ext_mnt = 1;
	     want.ext_mnt = &mounts);
	pair.if_in = (char *)"eth0";
	pair.if_out = (char *)"veth0";
	CASE(CHECK(!criu_local_add_veth_pair(opts, "eth0", "veth0")), CHECK(!criu_add_veth_pair("eth0", "veth0")),
	     want.n_veths = 1;
	     want.veths = &veths);
	all.path = (char *)"/x";
	some.ctrl = (char *)"cpu";
	some.path = (char *)"/y";
	CASE(CHECK(!criu_local_add_cg_root(opts, NULL, "/x") && !criu_local_add_cg_root(opts, "cpu", "/y")),
	     CHECK(!criu_add_cg_root(NULL, "/x") && !criu_add_cg_root("cpu", "/y")), want.n_cg_root = 2;
	     want.cg_root = roots);
}

static void namespaces(void)
{
	JoinNamespace net = JOIN_NAMESPACE__INIT, user = JOIN_NAMESPACE__INIT, *both[] = { &net, &user };

	net.ns = (char *)"net";
	net.ns_file = (char *)"42";
	user.ns = (char *)"user";
	user.ns_file = (char *)"/f";
	user.extra_opt = (char *)"0,0";
	CASE(CHECK(!criu_local_join_ns_add(opts, "net", "42", NULL) &&
		   !criu_local_join_ns_add(opts, "user", "/f", "0,0")),
	     CHECK(!criu_join_ns_add("net", "42", NULL) && !criu_join_ns_add("user", "/f", "0,0")), want.n_join_ns = 2;
	     want.join_ns = both);
}

/* A socket inherits nothing. */
static void inherited(void)
{
	InheritFd inherit = INHERIT_FD__INIT, *list = &inherit;

	inherit.key = (char *)"pipe:[1]";
	inherit.fd = 3;
	CASE(CHECK(!criu_local_add_inherit_fd(opts, 3, "pipe:[1]")), CHECK(!criu_add_inherit_fd(3, "pipe:[1]")),
	     want.n_inherit_fd = 1;
	     want.inherit_fd = &list);
	CASE(criu_local_set_service_address(opts, NULL);
	     CHECK(criu_local_add_inherit_fd(opts, 3, "k") == -1), criu_set_service_fd(-1);
	     CHECK(criu_add_inherit_fd(3, "k") == -1), (void)0);
}

static void page_server(void)
{
	CriuPageServerInfo server = CRIU_PAGE_SERVER_INFO__INIT;

	server.address = (char *)"::1";
	server.has_port = true;
	server.port = 80;
	CASE(CHECK(!criu_local_set_page_server_address_port(opts, "x", 1) &&
		   !criu_local_set_page_server_address_port(opts, "::1", 80)),
	     CHECK(!criu_set_page_server_address_port("::1", 80)), want.ps = &server);
}

/* The words are copied, and replace earlier ones. */
static void command(void)
{
	char word[] = "run", *argv[] = { word, (char *)"-x" }, *want_argv[] = { (char *)"run", (char *)"-x" };

	CASE(CHECK(!criu_local_set_exec_cmd(opts, 1, argv + 1) && !criu_local_set_exec_cmd(opts, 2, argv)),
	     CHECK(!criu_set_exec_cmd(2, argv));
	     memset(word, '?', 3), want.n_exec_cmd = 2; want.exec_cmd = want_argv);
}

static int agree(char *action, criu_notify_arg_t na)
{
	return 0;
}

static void notifications(void)
{
	CASE(criu_local_set_notify_cb(opts, agree), criu_set_notify_cb(agree), want.has_notify_scripts = true;
	     want.notify_scripts = true);
	CASE(criu_local_set_notify_cb(opts, agree);
	     criu_local_set_notify_cb(opts, NULL), criu_set_notify_cb(NULL), want.has_notify_scripts = true);
}

/* Nothing crashes without criu_init_opts(), or without a value. */
static void without_options(void)
{
	criu_free_opts();
	criu_set_pid(1);
	criu_set_service_fd(1);
	criu_set_manage_cgroups_mode(CRIU_CG_MODE_FULL);
	criu_set_notify_cb(agree);
	CHECK(criu_set_root("x") == -EINVAL);
	CHECK(criu_add_external("x") == -EINVAL);
	CHECK(criu_set_service_binary(NULL) == -EINVAL);
	CHECK(criu_dump() == -EINVAL);
	CHECK(criu_restore() == -EINVAL);
	CHECK(criu_restore_child() == -EINVAL);
	CHECK(criu_check() == -EINVAL);
	CHECK(criu_get_version() == -EINVAL);
	CHECK(!criu_init_opts());
	CHECK(criu_set_root(NULL) == -EINVAL);
	CHECK(criu_add_external(NULL) == -EINVAL);
	CHECK(criu_add_veth_pair("x", NULL) == -EINVAL);
	CHECK(criu_set_exec_cmd(-1, NULL) == -EINVAL);
	criu_free_opts();
	criu_free_opts();
	criu_local_free_opts(NULL);
}

int main(void)
{
	RUN(nothing);
	RUN(flags);
	RUN(more_flags);
	RUN(numbers);
	RUN(strings);
	RUN(lists);
	RUN(modes);
	RUN(unix_sockets);
	RUN(pairs);
	RUN(namespaces);
	RUN(inherited);
	RUN(page_server);
	RUN(command);
	RUN(notifications);
	RUN(without_options);
	DONE();
}
