// SPDX-License-Identifier: LGPL-2.1-only
/* The calls with the options of the process. */
#include "internal.h"

int criu_check(void)
{
	return criu_local_check(opts_of_process());
}

int criu_dump(void)
{
	return criu_local_dump(opts_of_process());
}

int criu_pre_dump(void)
{
	return criu_local_pre_dump(opts_of_process());
}

int criu_dump_iters(int (*more)(criu_predump_info pi))
{
	return criu_local_dump_iters(opts_of_process(), more);
}

int criu_restore(void)
{
	return criu_local_restore(opts_of_process());
}

int criu_restore_child(void)
{
	return criu_local_restore_child(opts_of_process());
}

int criu_get_version(void)
{
	return criu_local_get_version(opts_of_process());
}

int criu_check_version(int minimum)
{
	return criu_local_check_version(opts_of_process(), minimum);
}

int criu_feature_check(struct criu_feature_check *features, size_t size)
{
	return criu_local_feature_check(opts_of_process(), features, size);
}
