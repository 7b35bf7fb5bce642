// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binary data from the kernel: sock_diag messages and BTF, and messages of netfilter, which also come from images. The first
 * byte selects the parser.
 */
#include <stdlib.h>
#include <string.h>

#include <netlink/socket.h>

#include "kmem/btf.h"
#include "netfilter/conntrack.h"
#include "netfilter/ruleset.h"
#include "netlink/inet_diag.h"
#include "netlink/packet_diag.h"
#include "netlink/unix_diag.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_unix(const char *bytes, size_t len)
{
	struct unix_diags diags = { 0 };

	unix_diag_parse(bytes, len, &diags);
	for (size_t i = 0; i < diags.all.n; i++) {
		const struct unix_diag *sk = &diags.all.v[i];

		if (sk->name_len > len || sk->nr_icons * 4 > len || (sk->name_len && !sk->name) ||
		    (sk->nr_icons && !sk->icons))
			abort();
		unix_diag_find(&diags, sk->ino);
	}
	unix_diag_free(&diags);
}

static void try_inet(const char *bytes, size_t len)
{
	struct inet_diag_sockets all = { 0 };
	struct inet_diag_keys keys = { 0 };

	inet_diag_parse(bytes, len, 0, &all, NULL);
	inet_diag_parse(bytes, len, 0, &all, &keys);
	for (size_t i = 0; i < keys.n; i++)
		if (!keys.v[i].len || keys.v[i].len > INET_DIAG_KEY_MAX)
			abort();
	array_free(&keys);
	array_free(&all);
}

static void try_packet(const char *bytes, size_t len)
{
	struct packet_diag_socket sk;

	if (packet_diag_parse(bytes, len, 77, &sk))
		return;
	if (sk.nr_members > PACKET_DIAG_MEMBERS_MAX)
		abort();
	for (size_t i = 0; i < sk.nr_members; i++)
		if (sk.members[i].len > sizeof(sk.members[i].address))
			abort();
}

static void try_btf(const char *bytes, size_t len)
{
	struct buf copy = { 0 };
	struct btf btf;

	if (buf_add(&copy, bytes, len) || btf_parse(&copy, &btf))
		return;
	btf_field(&btf, "sock", "__sk_common.skc_family");
	btf_field(&btf, "pair", "second.b");
	btf_sizeof(&btf, "pair");
	btf_free(&btf);
}

/* Everything but sending: the socket is not connected. */
static void try_messages(int (*create)(struct nl_sock *, const void *, size_t), const char *bytes, size_t len)
{
	struct nl_sock *sk = nl_socket_alloc();

	log_set_level(LOG_SILENT);
	if (sk)
		create(sk, bytes, len);
	nl_socket_free(sk);
}

static void try_rules(const char *bytes, size_t len)
{
	try_messages(nft_ruleset_create, bytes, len);
}

static void try_conntrack(const char *bytes, size_t len)
{
	try_messages(conntrack_create, bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, size_t) = { try_unix, try_inet,  try_packet,
								 try_btf,  try_rules, try_conntrack };

	if (!size)
		return 0;
	/* A copy of the exact size: an overread is detected. */
	char *bytes = malloc(size - 1 ? size - 1 : 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](bytes, size - 1);
	free(bytes);
	return 0;
}
