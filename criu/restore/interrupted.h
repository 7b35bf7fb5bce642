/* SPDX-License-Identifier: GPL-2.0-only */
/* In the tool, between two steps. */
#pragma once

/* -EINTR, logged: a signal asks us to stop. */
int restore_interrupted(void);
