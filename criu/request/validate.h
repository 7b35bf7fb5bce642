/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "request/request.h"

/*
 * The request as a whole: refuses combinations that make no sense for its command, and what can be seen to fail before
 * anything is done; settles what follows from several options together. -EINVAL, or -ESRCH where there is no such
 * process; reported.
 */
int request_validate(struct request *req);
