// SPDX-License-Identifier: GPL-2.0-only
/*
 * User namespaces: maps of ids, setgroups, the user who created them, and which other namespaces they own. Ids in images
 * are those inside (dump_uid_of()). user_namespaces(7)
 */
#include "base/bits.h"
#include "internal.h"
#include "kinds/kinds.h"

const struct run_kind user_ns_run = {
	.name = "user namespace",
	.namespaces = BIT(NS_USER),
	.survey = user_survey,
	.save = user_save,
	.load_namespace = user_load,
	.link = user_link,
	.make_namespace = user_make,
};
