/* SPDX-License-Identifier: GPL-2.0-only */
/* Setting one option in a request, independent of its origin. */
#pragma once
#include "request/option_spec.h"
#include "request/request.h"

/* Does it apply to the command of the request? */
bool option_applies(const struct request *req, const struct option_spec *spec);
/* 1: to be set. 0: for another command, ignored. -EINVAL, reported: it is not implemented. */
int option_admit(const struct request *req, const struct option_spec *spec, const char *shown);
/*
 * Sets the option to the value @arg (NULL: none); @shown is its name in messages. Options of other commands are
 * ignored; invalid values and options that are not implemented are rejected. 0, -EINVAL, -EOPNOTSUPP or -ENOMEM;
 * reported.
 */
int option_take(struct request *req, const struct option_spec *spec, const char *arg, const char *shown);
/* no-NAME, of an option without a value. 0 or -ENOMEM. */
int option_unset(struct request *req, const struct option_spec *spec);
/* As option_take() without these checks and reports. */
int option_apply(struct request *req, const struct option_spec *spec, const char *arg);
/* Does it require an argument? */
bool option_takes_argument(const struct option_spec *spec);
