/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLS on a connection: both sides show a certificate of a CA that the other one trusts. The side that listens is the server.
 */
#pragma once
#include "run/options.h"
#include "transport/connection.h"

/*
 * Does the handshake: from here on everything on @c is encrypted. Fails, logged, unless the peer's certificate is valid, not
 * revoked, and, unless --tls-no-cn-verify, for our own --address.
 */
int tls_start(struct connection *c, const struct options *opts, bool server);
