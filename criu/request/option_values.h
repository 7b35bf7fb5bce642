/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parsers of option arguments that are not plain strings. Each returns 0, -EINVAL for an invalid value, -EOPNOTSUPP or
 * -ENOMEM.
 */
#pragma once

struct request;

int value_pid(struct request *req, const char *arg);
int value_verbosity(struct request *req, const char *arg);
int value_timeout(struct request *req, const char *arg);
int value_ghost_limit(struct request *req, const char *arg);
int value_tmpfs_files(struct request *req, const char *arg);
int value_cpu_cap(struct request *req, const char *arg);
int value_ext_unix_sk(struct request *req, const char *arg);
int value_inherit_fd(struct request *req, const char *arg);
int value_external(struct request *req, const char *arg);
int value_manage_cgroups(struct request *req, const char *arg);
int value_untrusted_images(struct request *req, const char *arg);
int value_port(struct request *req, const char *arg);
int value_ps_socket(struct request *req, const char *arg);
int value_status_fd(struct request *req, const char *arg);
int value_empty_ns(struct request *req, const char *arg);
int value_join_ns(struct request *req, const char *arg);
int value_veth_pair(struct request *req, const char *arg);
int value_tcp_address(struct request *req, const char *arg);
int value_ext_mount(struct request *req, const char *arg);
int value_socket_mode(struct request *req, const char *arg);
int value_close(struct request *req, const char *arg);
int value_compress(struct request *req, const char *arg);
int value_compress_block(struct request *req, const char *arg);
int value_restores(struct request *req, const char *arg);
int value_compress_acceleration(struct request *req, const char *arg);
int value_exclude_memory(struct request *req, const char *arg);
int value_decompress_threads(struct request *req, const char *arg);
int value_stream(struct request *req, const char *arg);
int value_nothing(struct request *req, const char *arg);
