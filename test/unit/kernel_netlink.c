// SPDX-License-Identifier: GPL-2.0-only
/* Netlink exchanges: how replies end, lists that change, malformed attributes, descriptor numbers, nf_tables transactions. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/socket.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "netfilter/nft_lock.h"
#include "netlink/exchange.h"
#include "netlink/inet_diag.h"
#include "netlink/route.h"
#include "util_check.h"

#define TYPE 20
#define TABLE NFT_LOCK_PREFIX "unit-test"

struct messages {
	char bytes[256] __attribute__((aligned(8)));
	size_t len;
};

static void add(struct messages *to, int type, const void *data, size_t len)
{
	struct nlmsghdr head = { .nlmsg_len = sizeof(head) + len, .nlmsg_type = type };

	memcpy(to->bytes + to->len, &head, sizeof(head));
	memcpy(to->bytes + to->len + sizeof(head), data, len);
	to->len += NLMSG_ALIGN(head.nlmsg_len);
}

static int count(struct nlmsghdr *message, void *arg)
{
	++*(int *)arg;
	return 0;
}

static int parse(const struct messages *m, size_t len, int *ret_n)
{
	struct netlink_answer answer = { .type = TYPE, .fn = count, .arg = ret_n };

	*ret_n = 0;
	return netlink_parse(m->bytes, len, &answer);
}

static void ends(void)
{
	struct messages m = { .len = 0 };
	int n, no = 0, bad = -ENODEV;

	add(&m, TYPE, "four", 4);
	add(&m, TYPE + 1, "other", 5);
	add(&m, TYPE, "", 0);
	CHECK(!parse(&m, m.len, &n) && n == 2);
	CHECK(parse(&m, m.len - 1, &n) == -EBADMSG && n == 1);
	add(&m, NLMSG_DONE, &no, sizeof(no));
	CHECK(parse(&m, m.len, &n) == 1 && n == 2);
	m.len -= NLMSG_LENGTH(sizeof(no));
	add(&m, NLMSG_DONE, "", 0);
	CHECK(parse(&m, m.len, &n) == 1);
	/* A listing that is aborted has its error in its last message. */
	m.len -= NLMSG_LENGTH(0);
	add(&m, NLMSG_DONE, &bad, sizeof(bad));
	CHECK(parse(&m, m.len, &n) == -ENODEV && n == 2);
	m.len -= NLMSG_LENGTH(sizeof(bad));
	add(&m, NLMSG_ERROR, &bad, sizeof(bad));
	CHECK(parse(&m, m.len, &n) == -ENODEV);
	m.len -= NLMSG_LENGTH(sizeof(bad));
	add(&m, NLMSG_ERROR, "", 0);
	CHECK(parse(&m, m.len, &n) == -EBADMSG);
}

static int attributes(const void *data, size_t len, struct nlattr **tb)
{
	static const struct nla_policy policy[3] = { [1] = { .type = NLA_U32 }, [2] = { .maxlen = 4 } };
	static struct messages m;

	m = (struct messages){ .len = 0 };
	add(&m, TYPE, data, len);
	return netlink_attributes((struct nlmsghdr *)m.bytes, 4, tb, 2, policy);
}

static void attributes_of_messages(void)
{
	struct {
		uint32_t fixed;
		struct nlattr one;
		uint32_t value;
		struct nlattr two;
		char name[4];
	} data = { 1, { 8, 1 }, 77, { 4 + 3, 2 | NLA_F_NESTED }, "abc" };
	struct nlattr *tb[3];

	CHECK(!attributes(&data, sizeof(data), tb) && tb[1] && nla_get_u32(tb[1]) == 77);
	CHECK(tb[2] && nla_len(tb[2]) == 3 && !memcmp(nla_data(tb[2]), "abc", 3));
	CHECK(!attributes(&data, sizeof(data) - 1, tb) && tb[2]);
	CHECK(!attributes(&data, 4, tb) && !tb[1] && !tb[2]);
	CHECK(attributes(&data, 3, tb) == -EBADMSG);
	CHECK(attributes(&data, sizeof(data) - 2, tb) == -EBADMSG);
	CHECK(attributes(&data, sizeof(data) - 6, tb) == -EBADMSG);
	data.one.nla_len = 6;
	CHECK(attributes(&data, sizeof(data), tb) == -EBADMSG);
}

/* As the kernel answers: one object, or two, and the end. */
static void answer_list(struct nl_sock *from, uint32_t to, int nr, int flags)
{
	const struct sockaddr_nl peer = { .nl_family = AF_NETLINK, .nl_pid = to };
	struct messages m = { .len = 0 };
	int no = 0;

	for (int i = 0; i < nr; i++)
		add(&m, RTM_NEWROUTE, "four", 4);
	add(&m, NLMSG_DONE, &no, sizeof(no));
	((struct nlmsghdr *)m.bytes)->nlmsg_flags = (uint16_t)flags;
	CHECK(sendto(netlink_fd(from), m.bytes, m.len, 0, (const struct sockaddr *)&peer, sizeof(peer)) ==
	      (ssize_t)m.len);
}

/* The other end plays the kernel: its answers are there already. */
static void changed_lists(void)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL, *kernel = NULL;
	const struct rtmsg head = { .rtm_family = AF_UNSPEC };
	int n = 0;
	const struct route_query query = { RTM_GETROUTE, &head, sizeof(head), count, &n };

	CHECK(!netlink_open(NETLINK_USERSOCK, &sk) && !netlink_open(NETLINK_USERSOCK, &kernel));
	nl_socket_set_peer_port(sk, nl_socket_get_local_port(kernel));
	answer_list(kernel, nl_socket_get_local_port(sk), 1, NLM_F_MULTI | NLM_F_DUMP_INTR);
	answer_list(kernel, nl_socket_get_local_port(sk), 0, NLM_F_MULTI | NLM_F_DUMP_INTR);
	answer_list(kernel, nl_socket_get_local_port(sk), 2, NLM_F_MULTI);
	CHECK(!route_list(sk, &query) && n == 2);
	for (int i = 0; i < NETLINK_LIST_ATTEMPTS; i++)
		answer_list(kernel, nl_socket_get_local_port(sk), 1, NLM_F_MULTI | NLM_F_DUMP_INTR);
	n = 0;
	CHECK(route_list(sk, &query) == -EAGAIN && !n);
}

static void descriptors(void)
{
	struct nl_sock *sk = NULL;
	int before;

	CHECK(!netlink_open(NETLINK_SOCK_DIAG, &sk) && (fcntl(netlink_fd(sk), F_GETFD) & FD_CLOEXEC));
	before = netlink_fd(sk);
	CHECK(!netlink_move_above(&sk, NETLINK_SOCK_DIAG, 100) && netlink_fd(sk) >= 100);
	CHECK(fcntl(before, F_GETFD) < 0 && (fcntl(netlink_fd(sk), F_GETFD) & FD_CLOEXEC));
	before = netlink_fd(sk);
	CHECK(!netlink_move_above(&sk, NETLINK_SOCK_DIAG, 50) && netlink_fd(sk) == before);
	netlink_close(&sk);
	CHECK(!sk && fcntl(before, F_GETFD) < 0);
	CHECK(netlink_open(9999, &sk) == -EPROTONOSUPPORT && !sk);
}

static void no_such_protocol(void)
{
	struct inet_diag_sockets all = { 0 };

	CHECK(inet_diag_lists(AF_INET, IPPROTO_TCP) == 1 && inet_diag_lists(AF_INET, 250) == 0);
	CHECK(!inet_diag_read(AF_INET, 250, ~0u, 0, &all) && !all.n);
}

static int note_table(const char *table, bool owned, void *arg)
{
	*(int *)arg += !strcmp(table, TABLE) ? owned ? 2 : 1 : 100;
	return 0;
}

static int tables(void)
{
	struct nl_sock *netlink = NULL;
	int seen = 0;

	if (nft_open(&netlink) || nft_lock_each(netlink, note_table, &seen))
		seen = -1;
	netlink_close(&netlink);
	return seen;
}

static int note_connection(const struct nft_connection *c, void *arg)
{
	((size_t *)arg)[c->v6]++;
	return 0;
}

#define CONNECTIONS 1200 /* more than fit into one message */

static void many_connections(struct nl_sock *netlink)
{
	static struct nft_connection all[CONNECTIONS];
	static struct nft_listen_address listeners[CONNECTIONS];
	struct nft_lock lock = { all, CONNECTIONS, listeners, CONNECTIONS };
	size_t seen[2] = { 0, 0 };

	for (size_t i = 0; i < CONNECTIONS; i++) {
		all[i] = (struct nft_connection){ i % 3 == 0, { i }, { 1 }, 1000 + i, 80 };
		listeners[i] = (struct nft_listen_address){ i % 2, i % 4 > 1, { i }, i };
	}
	CHECK(!nft_lock_make(netlink, TABLE, true, &lock) && tables() == 2);
	CHECK(!nft_lock_each_connection(netlink, TABLE, note_connection, seen));
	CHECK(seen[0] == 2 * CONNECTIONS * 2 / 3 && seen[1] == 2 * CONNECTIONS / 3);
	CHECK(!nft_lock_close_listening(netlink, TABLE, &lock) && !nft_lock_remove(netlink, TABLE) && !tables());
}

/* Replies to a failed transaction are not taken for replies to the next one. */
static void transactions(void)
{
	struct nft_connection one = { .from = { 1 }, .to = { 2 }, .from_port = 3, .to_port = 4 };
	struct nft_lock lock = { .connections = &one, .nr_connections = 1 };
	struct nl_sock *netlink = NULL;
	size_t seen[2] = { 0, 0 };

	if (unshare(CLONE_NEWNET) || tables()) {
		printf("skip transactions: no own network namespace, or no nf_tables\n");
		return;
	}
	CHECK(!nft_open(&netlink) && nft_lock_remove(netlink, TABLE) == -ENOENT);
	CHECK(!nft_lock_make(netlink, TABLE, false, &lock) && tables() == 1);
	CHECK(nft_lock_make(netlink, TABLE, false, &lock) == -EEXIST && tables() == 1);
	CHECK(!nft_lock_each_connection(netlink, TABLE, note_connection, seen) && seen[0] == 2 && !seen[1]);
	CHECK(!nft_lock_remove(netlink, TABLE) && !tables());
	many_connections(netlink);
	CHECK(!nft_lock_make(netlink, TABLE, true, &lock) && tables() == 2);
	netlink_close(&netlink);
	CHECK(!tables());
}

int main(void)
{
	RUN(ends);
	RUN(attributes_of_messages);
	RUN(changed_lists);
	RUN(descriptors);
	RUN(no_such_protocol);
	RUN(transactions);
	DONE();
}
