/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules as text of iptables-save(8), which images of CRIU have. No library turns it into the binary form that the kernel takes
 * (libxtables only parses options of single extensions): so iptables-restore(8) is executed, for such images only.
 */
#pragma once

/* @family: AF_INET, AF_INET6. In a process that is in the network namespace. 0 or a negative errno that has been logged. */
int iptables_text_execute(int family, const char *text);
