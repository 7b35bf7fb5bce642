/* SPDX-License-Identifier: GPL-2.0-only */
/* Reject a value in core-TID.img: return core_refuse(tid, "tc.sigactions: %zu of them", n); */
#pragma once
#include <errno.h>
#include "util/log.h"

#define core_refuse(tid, fmt, ...) fail(-EBADMSG, "core-%d.img: " fmt, (int)(tid), ##__VA_ARGS__)

/* Out of memory for records: for `return`. */
#define no_memory(what) fail(-ENOMEM, "%s", (what))
