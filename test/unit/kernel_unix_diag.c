// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's list of unix sockets: its entries for ours, and messages that it never sends. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netlink/unix_diag.h"
#include "util_check.h"

static uint32_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static void our_own(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int len = snprintf(a.sun_path + 1, 50, "unix-diag-test-%d", getpid()) + 1;
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + len;
	int pair[2], listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct unix_diags diags;
	const struct unix_diag *sk;
	uint64_t at;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && write(pair[0], "four", 4) == 4 &&
	      !shutdown(pair[1], SHUT_WR));
	CHECK(!bind(listener, (struct sockaddr *)&a, size) && !listen(listener, 7));
	CHECK(!connect(client, (struct sockaddr *)&a, size));
	CHECK(!unix_diag_read(&diags));
	sk = unix_diag_find(&diags, inode_of(pair[1]));
	CHECK(sk && sk->type == SOCK_STREAM && sk->state == 1 && sk->has_peer && sk->peer == inode_of(pair[0]));
	CHECK(sk && sk->rqueue == 4 && sk->shutdown == 2 && !sk->name_len && !sk->has_vfs);
	sk = unix_diag_find(&diags, inode_of(listener));
	CHECK(sk && sk->type == SOCK_SEQPACKET && sk->state == 10 && sk->wqueue == 7 && sk->rqueue == 1);
	CHECK(sk && sk->nr_icons == 1 && sk->icons[0] == inode_of(client));
	CHECK(sk && sk->name_len == (size_t)len && !memcmp(sk->name, a.sun_path, len));
	CHECK(hash_get(&diags.waiting, inode_of(client), &at) && at == (1ull << 32 | inode_of(listener)));
	CHECK(!unix_diag_find(&diags, 0));
	unix_diag_free(&diags);
	close(pair[0]);
	close(pair[1]);
	close(listener);
	close(client);
}

static size_t one_message(char *to)
{
	struct nlmsghdr head = { .nlmsg_type = SOCK_DIAG_BY_FAMILY };
	struct unix_diag_msg msg = {
		.udiag_family = AF_UNIX, .udiag_type = SOCK_STREAM, .udiag_state = 10, .udiag_ino = 77
	};
	struct nlattr name = { .nla_len = 4 + 3, .nla_type = UNIX_DIAG_NAME };
	struct nlattr icons = { .nla_len = 4 + 8, .nla_type = UNIX_DIAG_ICONS };
	uint32_t who[2] = { 0, 88 };
	size_t at = sizeof(head);

	memcpy(to + at, &msg, sizeof(msg));
	at += sizeof(msg);
	memcpy(to + at, &name, 4);
	memcpy(to + at + 4, "/a\0", 4);
	at += 8;
	memcpy(to + at, &icons, 4);
	memcpy(to + at + 4, who, 8);
	at += 12;
	head.nlmsg_len = at;
	memcpy(to, &head, sizeof(head));
	head = (struct nlmsghdr){ .nlmsg_len = sizeof(head), .nlmsg_type = NLMSG_DONE };
	memcpy(to + at, &head, sizeof(head));
	return at + sizeof(head);
}

static void never_sent(void)
{
	char good[256] __attribute__((aligned(8)));
	size_t len = one_message(good);
	struct unix_diags diags = { 0 };
	struct nlmsghdr bad = { .nlmsg_len = sizeof(bad) + 4, .nlmsg_type = NLMSG_ERROR };
	int err = -EPERM;

	CHECK(unix_diag_parse(good, len, &diags) == 1);
	CHECK(diags.all.n == 1 && diags.all.v[0].ino == 77 && diags.all.v[0].nr_icons == 2 &&
	      diags.all.v[0].name_len == 3);
	unix_diag_free(&diags);
	for (size_t cut = 1; cut < len; cut++) {
		char *exact = malloc(cut);

		diags = (struct unix_diags){ 0 };
		memcpy(exact, good, cut);
		CHECK(unix_diag_parse(exact, cut, &diags) != 1);
		unix_diag_free(&diags);
		free(exact);
	}
	for (size_t at = 0; at < len * 8; at++) {
		char *bent = malloc(len);

		diags = (struct unix_diags){ 0 };
		memcpy(bent, good, len);
		bent[at / 8] ^= 1 << at % 8;
		unix_diag_parse(bent, len, &diags);
		unix_diag_free(&diags);
		free(bent);
	}
	memcpy(good, &bad, sizeof(bad));
	memcpy(good + sizeof(bad), &err, 4);
	diags = (struct unix_diags){ 0 };
	CHECK(unix_diag_parse(good, sizeof(bad) + 4, &diags) == -EPERM);
	unix_diag_free(&diags);
}

int main(void)
{
	RUN(our_own);
	RUN(never_sent);
	DONE();
}
