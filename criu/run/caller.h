/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process inherits from root and must not have as another user. In the process itself; 0, or a logged negative errno. */
#pragma once

/* Priorities may be higher than the user is allowed to set. */
int caller_lower_priorities(void);
/* Possession of the caller's session keyring would allow reading its keys: keyrings(7). */
int caller_leave_keyring(void);
