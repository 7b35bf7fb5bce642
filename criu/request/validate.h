/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "request/request.h"

/*
 * Validates the request as a whole: rejects combinations that are invalid for its command, and what is bound to fail;
 * sets options that others imply. -EINVAL, or -ESRCH if there is no such process; reported.
 */
int request_validate(struct request *req);
