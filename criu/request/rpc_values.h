/* SPDX-License-Identifier: GPL-2.0-only */
/* Conversion of fields of criu_opts that are not a single value of a plain type: option_spec.from_rpc of their rows. */
#pragma once
#include "request/option_spec.h"

/* The name of the option in messages if it came by RPC: "ps.port (--port)". */
void rpc_shown(char *ret, size_t size, const char *field, const struct option_spec *spec);

/*
 * Fields of criu_opts that came after 4.2. They are not in rpc.proto: that would change the layout that programs with
 * libcriu have compiled in.
 */
int rpc_later_fields(struct request *req, const CriuOpts *rpc);
int rpc_pid(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_images_dir(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_work_dir(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_log_file(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_log_level(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_exec_cmd(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_inherit_fd(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_ext_unix_sk(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_port(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_page_server(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_network_lock(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_mntns_compat_mode(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_empty_ns(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_join_ns(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_veth_pairs(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_ext_mounts(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_manage_cgroups(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_cgroup_roots(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
int rpc_cpu_cap(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
