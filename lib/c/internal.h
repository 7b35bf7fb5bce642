/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the files of libcriu share. Nothing of it is exported: only what criu.h declares is visible. */
#pragma once
#include <sys/types.h>

#include "criu.h"

#define DEFAULT_ADDRESS "./criu_service.socket"
#define DEFAULT_BINARY "criu"

struct criu_opts {
	CriuOpts *rpc;
	int (*notify)(char *action, criu_notify_arg_t na);
	enum criu_service_comm comm;
	char *path; /* of the socket or of the program */
	int fd; /* the socket that was passed */
};

/* The options of the process; NULL before criu_init_opts(). */
criu_opts *opts_of_process(void);
const char *opts_path(const criu_opts *opts);

/* A connection, and the program that serves it if it is ours to wait for. */
struct connection {
	int fd;
	pid_t worker;
};

/*
 * detached: the program is no child of ours, since it would be part of the tree that it dumps. A passed socket is taken
 * from the options, since it serves one call.
 */
int connection_open(criu_opts *opts, bool detached, struct connection *ret);
void connection_close(struct connection *connection);

/* Messages: one packet each. A descriptor that comes with a packet is stored in ret_fd. */
int message_send(int fd, const CriuReq *req);
int message_receive(int fd, CriuResp **ret_resp, int *ret_fd);

/* Exported, but not declared by criu.h. */
#pragma GCC visibility push(default)
void criu_free_service(criu_opts *opts);
/* For tests, and programs that declare it. */
extern const char *criu_lib_version;
#pragma GCC visibility pop
