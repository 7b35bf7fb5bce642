/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* A change of the memory of a process. -ENOMEM. */
int event_apply(struct lazy_daemon *d, struct lazy_space *space, const struct uffd_msg *msg);
/* The space with this descriptor, or NULL. */
struct lazy_space *space_by_uffd(const struct lazy_daemon *d, int uffd);
