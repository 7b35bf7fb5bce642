// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/sock_diag.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

/* The kernel fills what the reader has room for, up to 32K at once. */
#define ROOM 65536u

bool diag_take(struct diag_bytes *from, void *to, size_t len)
{
	if (from->left < len)
		return false;
	memcpy(to, from->p, len);
	from->p += len;
	from->left -= len;
	return true;
}

/* What a header says of its length, cut off @from with what aligns it. */
static bool cut(struct diag_bytes *from, size_t total, size_t header, struct diag_bytes *ret)
{
	size_t len = total - header, step;

	if (total < header || len > from->left)
		return false;
	*ret = (struct diag_bytes){ from->p, len };
	step = MIN_OF((size_t)NLMSG_ALIGN(len), from->left);
	from->p += step;
	from->left -= step;
	return true;
}

int diag_attribute(struct diag_bytes *body, unsigned *ret_type, struct diag_bytes *ret_value)
{
	struct nlattr attr;

	if (!body->left)
		return 0;
	if (!diag_take(body, &attr, sizeof(attr)) || !cut(body, attr.nla_len, sizeof(attr), ret_value))
		return -EBADMSG;
	*ret_type = attr.nla_type & NLA_TYPE_MASK;
	return 1;
}

int sock_diag_parse(const void *messages, size_t len, diag_answer answer, void *arg)
{
	struct diag_bytes in = { messages, len };

	while (in.left) {
		struct nlmsghdr head;
		struct diag_bytes body;
		int err = 0;

		if (!diag_take(&in, &head, sizeof(head)) || !cut(&in, head.nlmsg_len, sizeof(head), &body))
			return -EBADMSG;
		if (head.nlmsg_type == NLMSG_DONE)
			return 1;
		if (head.nlmsg_type == NLMSG_ERROR)
			return diag_take(&body, &err, sizeof(err)) && err < 0 ? err : -EBADMSG;
		if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			err = answer(body, arg);
		if (err)
			return err;
	}
	return 0;
}

static int send_request(int netlink, const void *request, size_t len, uint16_t flags)
{
	struct nlmsghdr head = { .nlmsg_len = NLMSG_LENGTH(len),
				 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				 .nlmsg_flags = NLM_F_REQUEST | flags };
	struct iovec iov[] = { { &head, sizeof(head) }, { (void *)request, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

	return sendmsg(netlink, &msg, 0) < 0 ? -errno : 0;
}

static int ask(int netlink, const void *request, size_t len, bool one, diag_answer answer, void *arg)
{
	_cleanup_buf_ struct buf in = { 0 };
	int err = buf_reserve(&in, ROOM);

	if (!err)
		err = send_request(netlink, request, len, one ? 0 : NLM_F_DUMP);
	while (!err) {
		ssize_t got = recv(netlink, in.data, in.cap, MSG_TRUNC);

		if (got < 0)
			err = errno == EINTR ? 0 : -errno;
		else
			err = (size_t)got > in.cap ? -EMSGSIZE : sock_diag_parse(in.data, got, answer, arg);
		/* No message follows that says so. */
		if (one && got >= 0)
			break;
	}
	return err < 0 ? err : 0;
}

int sock_diag_open(void)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return netlink < 0 ? -errno : netlink;
}

int sock_diag_ask(const void *request, size_t len, diag_answer answer, void *arg)
{
	_cleanup_close_ int netlink = sock_diag_open();

	return netlink < 0 ? netlink : ask(netlink, request, len, false, answer, arg);
}

int sock_diag_ask_one(int netlink, const void *request, size_t len, diag_answer answer, void *arg)
{
	return ask(netlink, request, len, true, answer, arg);
}
