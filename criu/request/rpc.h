/* SPDX-License-Identifier: GPL-2.0-only */
/* A request by RPC (images/rpc.proto). */
#pragma once
#include "request/request.h"
#include "rpc.pb-c.h"

/*
 * The options of a client, for req->command, on top of what @req has from config files. Descriptors in @rpc are numbers of
 * this process: the service has taken them over from the client. Those of directories belong to the request from now on
 * (request_close).
 * What is wrong, or not implemented, is reported by the name of its field; what is for another command is passed over.
 * Afterwards the service applies options.config_file, which overrides fields, and validates the whole.
 */
int request_from_rpc(struct request *req, const CriuOpts *rpc);

/* Fields that are no option and mean something to the service alone. NULL ends them. */
extern const char *const rpc_service_fields[];
