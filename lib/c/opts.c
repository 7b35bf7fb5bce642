// SPDX-License-Identifier: LGPL-2.1-only
/* Options: their life, and the transport. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static criu_opts *process_opts;

criu_opts *opts_of_process(void)
{
	return process_opts;
}

const char *opts_path(const criu_opts *opts)
{
	if (opts->path)
		return opts->path;
	return opts->comm == CRIU_COMM_SK ? DEFAULT_ADDRESS : DEFAULT_BINARY;
}

int criu_local_init_opts(criu_opts **ret)
{
	criu_opts *opts = calloc(1, sizeof(*opts));
	CriuOpts *rpc = malloc(sizeof(*rpc));

	if (!opts || !rpc) {
		free(opts);
		free(rpc);
		return -ENOMEM;
	}
	criu_opts__init(rpc);
	*opts = (criu_opts){ .rpc = rpc, .comm = CRIU_COMM_BIN, .fd = -1 };
	*ret = opts;
	return 0;
}

void criu_free_service(criu_opts *opts)
{
	if (!opts)
		return;
	free(opts->path);
	opts->path = NULL;
}

void criu_local_free_opts(criu_opts *opts)
{
	if (!opts)
		return;
	criu_free_service(opts);
	criu_opts__free_unpacked(opts->rpc, NULL);
	free(opts);
}

int criu_init_opts(void)
{
	criu_opts *opts;
	int err = criu_local_init_opts(&opts);

	if (err)
		return err;
	criu_local_free_opts(process_opts);
	process_opts = opts;
	return 0;
}

void criu_free_opts(void)
{
	criu_local_free_opts(process_opts);
	process_opts = NULL;
}

static int set_transport(criu_opts *opts, enum criu_service_comm comm, const char *path)
{
	char *copy = path ? strdup(path) : NULL;

	if (!opts) {
		free(copy);
		return -EINVAL;
	}
	if (path && !copy)
		return -ENOMEM;
	criu_free_service(opts);
	opts->comm = comm;
	opts->path = copy;
	return 0;
}

int criu_local_set_service_address(criu_opts *opts, const char *path)
{
	return set_transport(opts, CRIU_COMM_SK, path);
}

int criu_local_set_service_binary(criu_opts *opts, const char *path)
{
	return set_transport(opts, CRIU_COMM_BIN, path);
}

void criu_local_set_service_fd(criu_opts *opts, int fd)
{
	if (!set_transport(opts, CRIU_COMM_FD, NULL))
		opts->fd = fd;
}

int criu_set_service_address(const char *path)
{
	return criu_local_set_service_address(process_opts, path);
}

int criu_set_service_binary(const char *path)
{
	return criu_local_set_service_binary(process_opts, path);
}

void criu_set_service_fd(int fd)
{
	criu_local_set_service_fd(process_opts, fd);
}
