/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process of the service inherits from the user who started it. 0, or a logged negative errno. */
#pragma once

/* In the process of a connection, as root: what it executes later, as the client's user, gets nothing of the service. */
int context_leave(void);
