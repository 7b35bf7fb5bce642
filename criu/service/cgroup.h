/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

struct client;

/*
 * This process, and so the tree that it restores, is in the control groups of the client from now on, as what the client
 * creates itself would be: limits of the client apply to it. Where that is not possible it stays in ours, with a warning.
 */
void client_enter_cgroups(const struct client *client);
