/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of other programs over a socket, as messages of images/rpc.proto. */
#pragma once

struct options;
struct request;

/* What the options of a request are added to: config files and the command line of this program. */
struct service_base {
	int (*fill)(struct request *req, const void *arg); /* for req->command. 0, or a negative errno, reported */
	const void *arg;
};

/*
 * criu swrk FD: serves the client at the other end of the socket @sock, with our own rights. Returns the exit status of
 * this program; if a request has a command that is to be executed (exec_cmd), it does not return.
 */
int service_swrk(int sock, const struct service_base *base);

/*
 * criu service: serves all clients that connect to the socket opts->address, each in a process of its own with the rights of the
 * client (rights.h), until SIGTERM. With restore_detached in the background. 0, or a negative errno, logged.
 */
int service_run(const struct options *opts);
