/* SPDX-License-Identifier: GPL-2.0-only */
/* A request from an RPC client (images/rpc.proto). */
#pragma once
#include "request/request.h"
#include "rpc.pb-c.h"

/*
 * The options of a client, for req->command, in addition to those that @req has from config files. Descriptors in @rpc
 * are descriptors of this process: the service has received them from the client. Those of directories are owned by the
 * request from now on (request_close). Fields that are invalid or not implemented are reported by name; those for
 * another command are ignored. Afterwards the service applies options.config_file, which overrides fields, and
 * validates the request.
 */
int request_from_rpc(struct request *req, const CriuOpts *rpc);
