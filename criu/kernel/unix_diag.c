// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/unix_diag.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

#define NAME_MAX_LEN 108u

/* Bytes of a message, read inside their bounds. */
struct bytes {
	const char *p;
	size_t left;
};

static bool take(struct bytes *from, void *to, size_t len)
{
	if (from->left < len)
		return false;
	memcpy(to, from->p, len);
	from->p += len;
	from->left -= len;
	return true;
}

static void skip_up_to(struct bytes *from, size_t len)
{
	len = MIN_OF(len, from->left);
	from->p += len;
	from->left -= len;
}

static int copy_bytes(const struct bytes *from, void *ret_ptr)
{
	void *copy = malloc(from->left + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, from->p, from->left);
	*(void **)ret_ptr = copy;
	return 0;
}

static int parse_attribute(unsigned type, struct bytes value, struct unix_diag *sk)
{
	switch (type) {
	case UNIX_DIAG_NAME:
		if (sk->name || value.left > NAME_MAX_LEN)
			return -EBADMSG;
		sk->name_len = value.left;
		return copy_bytes(&value, &sk->name);
	case UNIX_DIAG_VFS:
		sk->has_vfs = take(&value, &sk->vfs_ino, 4) && take(&value, &sk->vfs_dev, 4);
		return sk->has_vfs ? 0 : -EBADMSG;
	case UNIX_DIAG_PEER:
		sk->has_peer = take(&value, &sk->peer, 4);
		return sk->has_peer ? 0 : -EBADMSG;
	case UNIX_DIAG_ICONS:
		if (sk->icons || value.left % 4)
			return -EBADMSG;
		sk->nr_icons = value.left / 4;
		return copy_bytes(&value, &sk->icons);
	case UNIX_DIAG_RQLEN:
		return take(&value, &sk->rqueue, 4) && take(&value, &sk->wqueue, 4) ? 0 : -EBADMSG;
	case UNIX_DIAG_SHUTDOWN:
		return take(&value, &sk->shutdown, 1) ? 0 : -EBADMSG;
	default:
		return 0;
	}
}

static int parse_socket(struct bytes body, struct unix_diags *diags)
{
	struct unix_diag_msg msg;
	struct unix_diag *sk = array_push(&diags->all);
	int err = 0;

	if (!sk)
		return -ENOMEM;
	if (!take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	sk->ino = msg.udiag_ino;
	sk->type = msg.udiag_type;
	sk->state = msg.udiag_state;
	while (!err && body.left) {
		struct nlattr attr;
		struct bytes value;

		if (!take(&body, &attr, sizeof(attr)) || attr.nla_len < sizeof(attr) ||
		    attr.nla_len - sizeof(attr) > body.left)
			return -EBADMSG;
		value = (struct bytes){ body.p, attr.nla_len - sizeof(attr) };
		skip_up_to(&body, NLMSG_ALIGN(value.left));
		err = parse_attribute(attr.nla_type & NLA_TYPE_MASK, value, sk);
	}
	if (!err)
		err = hash_put(&diags->by_ino, sk->ino, diags->all.n - 1);
	for (size_t i = 0; !err && i < sk->nr_icons; i++)
		if (sk->icons[i])
			err = hash_put(&diags->waiting, sk->icons[i], sk->ino);
	return err;
}

int unix_diag_parse(const void *messages, size_t len, struct unix_diags *diags)
{
	struct bytes in = { messages, len };

	while (in.left) {
		struct nlmsghdr head;
		struct bytes body;
		int err = 0;

		if (!take(&in, &head, sizeof(head)) || head.nlmsg_len < sizeof(head) ||
		    head.nlmsg_len - sizeof(head) > in.left)
			return -EBADMSG;
		body = (struct bytes){ in.p, head.nlmsg_len - sizeof(head) };
		skip_up_to(&in, NLMSG_ALIGN(body.left));
		if (head.nlmsg_type == NLMSG_DONE)
			return 1;
		if (head.nlmsg_type == NLMSG_ERROR)
			return take(&body, &err, sizeof(err)) && err < 0 ? err : -EBADMSG;
		if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			err = parse_socket(body, diags);
		if (err)
			return err;
	}
	return 0;
}

static int ask(int netlink)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} query = {
		.head = { .nlmsg_len = sizeof(query),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0u,
			 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS |
				       UDIAG_SHOW_RQLEN },
	};

	return send(netlink, &query, sizeof(query), 0) < 0 ? -errno : 0;
}

int unix_diag_read(struct unix_diags *ret)
{
	_cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_cleanup_buf_ struct buf in = { 0 };
	struct unix_diags diags = { 0 };
	int err = netlink < 0 ? -errno : ask(netlink);

	while (!err) {
		ssize_t len = recv(netlink, NULL, 0, MSG_PEEK | MSG_TRUNC);

		buf_clear(&in);
		err = len < 0 ? -errno : buf_reserve(&in, len);
		if (err)
			break;
		len = recv(netlink, in.data, in.cap, 0);
		err = len < 0 ? -errno : unix_diag_parse(in.data, len, &diags);
	}
	if (err < 0) {
		unix_diag_free(&diags);
		return err;
	}
	*ret = diags;
	return 0;
}

void unix_diag_free(struct unix_diags *diags)
{
	struct unix_diag *sk;

	array_for_each(sk, &diags->all) {
		free(sk->name);
		free(sk->icons);
	}
	array_free(&diags->all);
	hash_free(&diags->by_ino);
	hash_free(&diags->waiting);
}

const struct unix_diag *unix_diag_find(const struct unix_diags *diags, uint32_t ino)
{
	uint64_t at;

	return ino && hash_get(&diags->by_ino, ino, &at) ? &diags->all.v[at] : NULL;
}
