/* SPDX-License-Identifier: GPL-2.0-only */
/* The security module of this kernel that labels processes. 0 or a negative errno; nothing is logged. */
#pragma once

enum lsm { LSM_NONE, LSM_SELINUX, LSM_APPARMOR, LSM_SMACK };

enum lsm lsm_here(void);
/* "SELinux" */
const char *lsm_title(enum lsm lsm);
/* The file in /proc/PID, or /proc/PID/task/TID, with its labels. */
const char *lsm_label_file(enum lsm lsm);
