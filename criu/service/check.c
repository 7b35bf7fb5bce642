// SPDX-License-Identifier: GPL-2.0-only
/* What this host supports. */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "features/features.h"
#include "request/option_table.h"
#include "run/rights.h"
#include "service/prepare.h"
#include "service/requests.h"

static int check_features(struct session *s)
{
	for (int f = 0; f < FEATURE_COUNT; f++) {
		const struct feature_info *info = feature_info((enum feature)f);
		int answer = info->need == NEED_ALWAYS ? feature_probe((enum feature)f) : 1;

		if (answer == 0)
			return session_refuse(s, -EOPNOTSUPP, "this host lacks %s: %s", info->name, info->text);
		if (answer < 0 && answer != -ENOTSUP)
			return session_refuse(s, answer, "%s (%s) probe failed: %s", info->name, info->text,
					      strerror(-answer));
	}
	return 0;
}

static int check_rights(struct session *s)
{
	static const enum right needed[] = { RIGHT_PTRACE_ANY, RIGHT_NAMESPACES, RIGHT_SET_PIDS };
	struct rights rights;
	int err = rights_probe(&rights);

	for (size_t i = 0; !err && i < ARRAY_SIZE(needed); i++)
		if (!rights_may(&rights, needed[i]))
			err = session_refuse(s, -EPERM, "%s: %s; run criu as root", rights_name(needed[i]),
					     rights_text(needed[i]));
	return err;
}

/* Options have no effect on it, but with a log file they must be valid. */
int serve_check(struct session *s, const CriuReq *req, struct answer *ret)
{
	const CriuOpts *opts = req->opts && req->opts->log_file ? req->opts : NULL;
	int err = 0;

	if (opts && opts->images_dir_fd < 0 && !opts->images_dir)
		return session_refuse(s, -EINVAL, "log_file: images_dir_fd or images_dir is required");
	if (opts)
		err = session_prepare_as_client(s, CMD_CHECK, "check", opts);
	if (!err)
		err = check_rights(s);
	return err ? err : check_features(s);
}

static bool is_implemented(const char *option)
{
	const struct option_spec *spec = option_find(option, strlen(option));

	return spec && spec->implemented;
}

/* In either way: memory/tracking.h */
static bool can_track(void)
{
	return feature_has(FEATURE_MEM_DIRTY_TRACK) ||
	       (feature_has(FEATURE_UFFD_WP_ASYNC) && feature_has(FEATURE_PAGEMAP_SCAN));
}

static void answer_feature(bool asked, bool has, protobuf_c_boolean *ret_has_field, protobuf_c_boolean *ret_field)
{
	*ret_has_field = true;
	*ret_field = asked && has;
}

/* Of this kernel, and of ours: clients go on to use what they find. */
int serve_feature_check(struct session *s, const CriuReq *req, struct answer *ret)
{
	const CriuFeatures *asked = req->features;
	CriuFeatures *features = &ret->features;

	if (!asked)
		return session_refuse(s, -EINVAL, "features are required");
	answer_feature(asked->has_mem_track && asked->mem_track, is_implemented("track-mem") && can_track(),
		       &features->has_mem_track, &features->mem_track);
	answer_feature(asked->has_lazy_pages && asked->lazy_pages,
		       is_implemented("lazy-pages") && feature_has(FEATURE_UFFD_NONCOOP) &&
			       feature_has(FEATURE_UFFD_POISON),
		       &features->has_lazy_pages, &features->lazy_pages);
	answer_feature(asked->has_pidfd_store && asked->pidfd_store,
		       is_implemented("track-mem") && feature_has(FEATURE_PIDFD_STORE), &features->has_pidfd_store,
		       &features->pidfd_store);
	ret->resp.features = features;
	return 0;
}
