// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that has asked for a dump of itself waits for the response on its connection to the service. It gets one where it
 * is restored, from nobody: the other end is closed afterwards, as the service would.
 */
#include <errno.h>
#include "kinds/fd/unix/internal.h"
#include "rpc.pb-c.h"

/* A DUMP response with restored set takes a dozen bytes. */
#define RESPONSE_MAX 64

int unix_answer_client(const struct unix_sock *sock)
{
	CriuDumpResp dump = CRIU_DUMP_RESP__INIT;
	CriuResp resp = CRIU_RESP__INIT;
	uint8_t packet[RESPONSE_MAX];
	int from = sock->peer ? sock->peer->fd : sock->placeholder;
	size_t len;

	if (!unix_is_rpc_client(sock))
		return 0;
	dump.has_restored = dump.restored = true;
	resp.type = CRIU_REQ_TYPE__DUMP;
	resp.success = true;
	resp.dump = &dump;
	len = criu_resp__get_packed_size(&resp);
	if (len > sizeof(packet))
		return fail(-EMSGSIZE, "response to the client of the RPC");
	criu_resp__pack(&resp, packet);
	if (send(from, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		return fail(-errno, "response to the client of the RPC");
	return 0;
}
