// SPDX-License-Identifier: GPL-2.0-only
/* criu swrk: one client, which has started us. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "service/requests.h"
#include "service/serve.h"
#include "service/wire.h"

/* Clients block it around our start, for their own children; we could not wait for ours. */
static void unblock_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int service_swrk(int sock, const struct service_base *base)
{
	const struct client_rights own = { .ours = true };
	struct session s = { .base = base, .rights = &own, .own_process = true };
	int err = wire_check(sock), status;

	if (!err)
		err = client_begin(&s.client, sock);
	if (err) {
		fprintf(stderr, "criu: swrk: descriptor %d: %s; expected a SOCK_SEQPACKET socket\n", sock,
			strerror(-err));
		return EXIT_REQUEST_FAILED;
	}
	unblock_sigchld();
	status = session_serve(&s, -1);
	client_end(&s.client);
	return status;
}
