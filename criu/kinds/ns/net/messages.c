// SPDX-License-Identifier: GPL-2.0-only
/* Netlink messages in images; failures of requests. */
#include <errno.h>
#include <linux/netlink.h>
#include "internal.h"
#include "util/log.h"

int net_failed(void *what, uint32_t nr, int err, const char *why)
{
	return fail(err, "%s%s%s", (const char *)what, *why ? ": " : "", why);
}

int net_messages_each(const struct net_messages *messages, int (*fn)(const struct nlmsghdr *message, void *arg),
		      void *arg)
{
	size_t at = 0;
	int err = 0;

	while (!err && at < messages->len) {
		const struct nlmsghdr *message = (const void *)(messages->bytes + at);

		if (messages->len - at < sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
		    message->nlmsg_len > messages->len - at)
			return -EBADMSG;
		err = fn(message, arg);
		at += NLMSG_ALIGN(message->nlmsg_len);
	}
	return err;
}
