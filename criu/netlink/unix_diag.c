// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/unix_diag.h"
#include <errno.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "netlink/sock_diag.h"

#define NAME_MAX_LEN 108u

static int copy_bytes(const struct diag_bytes *from, void *ret_ptr)
{
	void *copy = malloc(from->left + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, from->p, from->left);
	*(void **)ret_ptr = copy;
	return 0;
}

static int parse_attribute(unsigned type, struct diag_bytes value, struct unix_diag *sk)
{
	switch (type) {
	case UNIX_DIAG_NAME:
		if (sk->name || value.left > NAME_MAX_LEN)
			return -EBADMSG;
		sk->name_len = value.left;
		return copy_bytes(&value, &sk->name);
	case UNIX_DIAG_VFS:
		sk->has_vfs = diag_take(&value, &sk->vfs_ino, 4) && diag_take(&value, &sk->vfs_dev, 4);
		return sk->has_vfs ? 0 : -EBADMSG;
	case UNIX_DIAG_PEER:
		sk->has_peer = diag_take(&value, &sk->peer, 4);
		return sk->has_peer ? 0 : -EBADMSG;
	case UNIX_DIAG_ICONS:
		if (sk->icons || value.left % 4)
			return -EBADMSG;
		sk->nr_icons = value.left / 4;
		return copy_bytes(&value, &sk->icons);
	case UNIX_DIAG_RQLEN:
		return diag_take(&value, &sk->rqueue, 4) && diag_take(&value, &sk->wqueue, 4) ? 0 : -EBADMSG;
	case UNIX_DIAG_SHUTDOWN:
		return diag_take(&value, &sk->shutdown, 1) ? 0 : -EBADMSG;
	default:
		return 0;
	}
}

static int parse_socket(struct diag_bytes body, void *arg)
{
	struct unix_diags *diags = arg;
	struct unix_diag_msg msg;
	struct unix_diag *sk = array_push(&diags->all);
	struct diag_bytes value;
	unsigned type;
	int err;

	if (!sk)
		return -ENOMEM;
	if (!diag_take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	sk->ino = msg.udiag_ino;
	sk->type = msg.udiag_type;
	sk->state = msg.udiag_state;
	while ((err = diag_attribute(&body, &type, &value)) > 0) {
		err = parse_attribute(type, value, sk);
		if (err)
			return err;
	}
	if (!err)
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
	int err = sock_diag_ask(&request, sizeof(request), parse_socket, &diags);

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
