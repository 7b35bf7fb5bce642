/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between a client and the service: one message of images/rpc.proto in each packet of a unix socket
 * (SOCK_SEQPACKET, or SOCK_DGRAM for socket pairs), without a header.
 */
#pragma once
#include <stddef.h>
#include "rpc.pb-c.h"

/* The longest request: the options have no limit themselves. */
#define WIRE_REQUEST_MAX (1u << 20)

/* Is it a socket that keeps messages apart? 0, -ENOTSOCK, -ESOCKTNOSUPPORT, or another negative errno. */
int wire_check(int sock);
/*
 * Waits for a request, but at most @timeout_ms (-1: forever). Descriptors that come with it are dropped: no request has
 * any. @ret_req: to be freed with criu_req__free_unpacked(). -ENODATA: the client has closed the connection; -EBADMSG: not
 * a request; -EMSGSIZE: too long; -ETIMEDOUT; -EINTR: a signal that would terminate us is pending.
 */
int wire_receive(int sock, int timeout_ms, CriuReq **ret_req);
/* @fd: a descriptor for the client, -1: none. -EPIPE: the client is gone; -ETIMEDOUT: it does not read. */
int wire_send(int sock, const CriuResp *resp, int fd);
