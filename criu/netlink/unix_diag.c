// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/unix_diag.h"
#include <errno.h>
#include <linux/unix_diag.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include "netlink/sock_diag.h"

#define NAME_MAX_LEN 108u

static const struct nla_policy policy[UNIX_DIAG_MAX + 1] = {
	/* A path of all 108 bytes is reported with a trailing NUL: net/unix/af_unix.c unix_mkname_bsd() */
	[UNIX_DIAG_NAME] = { .maxlen = NAME_MAX_LEN + 1 },
	[UNIX_DIAG_VFS] = { .minlen = sizeof(struct unix_diag_vfs) },
	[UNIX_DIAG_PEER] = { .type = NLA_U32 },
	[UNIX_DIAG_RQLEN] = { .minlen = sizeof(struct unix_diag_rqlen) },
	[UNIX_DIAG_SHUTDOWN] = { .type = NLA_U8 },
};

static int copy_bytes(const struct nlattr *attr, void *ret_ptr, size_t *ret_len)
{
	size_t len = nla_len(attr);
	void *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, nla_data(attr), len);
	*(void **)ret_ptr = copy;
	*ret_len = len;
	return 0;
}

static int copy_lists(struct nlattr *const *tb, struct unix_diag *sk)
{
	size_t len;
	int err = 0;

	if (tb[UNIX_DIAG_NAME])
		err = copy_bytes(tb[UNIX_DIAG_NAME], &sk->name, &sk->name_len);
	if (!err && sk->name_len > NAME_MAX_LEN)
		sk->name_len = NAME_MAX_LEN;
	if (err || !tb[UNIX_DIAG_ICONS])
		return err;
	if (nla_len(tb[UNIX_DIAG_ICONS]) % sizeof(*sk->icons))
		return -EBADMSG;
	err = copy_bytes(tb[UNIX_DIAG_ICONS], &sk->icons, &len);
	if (!err)
		sk->nr_icons = len / sizeof(*sk->icons);
	return err;
}

static int parse_attributes(struct nlmsghdr *message, struct unix_diag *sk)
{
	struct nlattr *tb[UNIX_DIAG_MAX + 1];
	struct unix_diag_vfs vfs;
	struct unix_diag_rqlen queues;
	int err = netlink_attributes(message, sizeof(struct unix_diag_msg), tb, UNIX_DIAG_MAX, policy);

	if (err)
		return err;
	if (tb[UNIX_DIAG_VFS]) {
		nla_memcpy(&vfs, tb[UNIX_DIAG_VFS], sizeof(vfs));
		sk->has_vfs = true;
		sk->vfs_ino = vfs.udiag_vfs_ino;
		sk->vfs_dev = vfs.udiag_vfs_dev;
	}
	if (tb[UNIX_DIAG_PEER]) {
		sk->has_peer = true;
		sk->peer = nla_get_u32(tb[UNIX_DIAG_PEER]);
	}
	if (tb[UNIX_DIAG_RQLEN]) {
		nla_memcpy(&queues, tb[UNIX_DIAG_RQLEN], sizeof(queues));
		sk->rqueue = queues.udiag_rqueue;
		sk->wqueue = queues.udiag_wqueue;
	}
	if (tb[UNIX_DIAG_SHUTDOWN])
		sk->shutdown = nla_get_u8(tb[UNIX_DIAG_SHUTDOWN]);
	return copy_lists(tb, sk);
}

static int parse_socket(struct nlmsghdr *message, void *arg)
{
	struct unix_diags *diags = arg;
	const struct unix_diag_msg *msg = nlmsg_data(message);
	struct unix_diag *sk = array_push(&diags->all);
	int err;

	if (!sk)
		return -ENOMEM;
	err = parse_attributes(message, sk);
	if (err)
		return err;
	sk->ino = msg->udiag_ino;
	sk->type = msg->udiag_type;
	sk->state = msg->udiag_state;
	err = hash_put(&diags->by_ino, sk->ino, diags->all.n - 1);
	for (size_t i = 0; !err && i < sk->nr_icons; i++)
		if (sk->icons[i])
			err = hash_put(&diags->waiting, sk->icons[i], (i + 1) << 32 | sk->ino);
	return err;
}

int unix_diag_parse(const void *messages, size_t len, struct unix_diags *diags)
{
	return sock_diag_parse(messages, len, parse_socket, diags);
}

int unix_diag_read(struct unix_diags *ret)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX,
					 .udiag_states = ~0u,
					 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
						       UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN };
	struct unix_diags diags = { 0 };
	int err = sock_diag_ask(&(struct sock_diag_query){ &request, sizeof(request), parse_socket, &diags });

	if (err) {
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
