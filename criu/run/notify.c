// SPDX-License-Identifier: GPL-2.0-only
#include "run/notify.h"
#include <errno.h>

int notify_add(struct options *opts, const struct notify_outlet *outlet)
{
	for (size_t i = 0; i < NOTIFY_OUTLETS; i++) {
		if (opts->outlets[i] == outlet)
			return 0;
		if (opts->outlets[i])
			continue;
		opts->outlets[i] = outlet;
		return 0;
	}
	return -ENOSPC;
}

bool notify_wanted(const struct options *opts)
{
	return opts->outlets[0] != NULL;
}

static int notify_all(const struct options *opts, const struct notice *notice)
{
	int err = 0;

	for (size_t i = 0; !err && i < NOTIFY_OUTLETS && opts->outlets[i]; i++)
		err = opts->outlets[i]->notify(opts->outlets[i], opts, notice);
	return err;
}

int notify_step(const struct options *opts, const char *action, pid_t pid)
{
	return notify_all(opts, &(struct notice){ .action = action, .pid = pid });
}

int notify_with_fd(const struct options *opts, const char *action, int fd)
{
	return notify_all(opts, &(struct notice){ .action = action, .client_only = true, .fd = &fd });
}

int notify_query_externals(const struct options *opts, pid_t pid)
{
	return notify_all(opts, &(struct notice){ .action = NOTIFY_QUERY_EXTERNALS, .pid = pid, .client_only = true });
}
