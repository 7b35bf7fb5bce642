/* SPDX-License-Identifier: GPL-2.0-only */
/* One option's way into a request, wherever it comes from. */
#pragma once
#include "request/option_spec.h"
#include "request/request.h"

/* Does it mean something to the command of the request? */
bool option_concerns(const struct request *req, const struct option_spec *spec);
/* 1: to be taken. 0: for another command, passed over. -EINVAL, reported: it is not implemented. */
int option_admit(const struct request *req, const struct option_spec *spec, const char *shown);
/*
 * The option with the value @arg (NULL: none), called @shown in messages. For other commands it is passed over. Refused:
 * bad values, what is not implemented. 0, -EINVAL, -EOPNOTSUPP or -ENOMEM; reported.
 */
int option_take(struct request *req, const struct option_spec *spec, const char *arg, const char *shown);
/* Without those checks and reports. */
int option_apply(struct request *req, const struct option_spec *spec, const char *arg);
/* Has it a value that cannot be left out? */
bool option_takes_argument(const struct option_spec *spec);
