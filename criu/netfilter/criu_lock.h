/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CRIU sets its network lock before it saves the rules of a network namespace: so its images contain it, unless it was run
 * with --network-lock skip. These functions find it in the text of nft(8) and iptables-save(8).
 */
#pragma once
#include <stdbool.h>

/* Removes it from @text, in the form of `nft list ruleset`: table `inet CRIU-...`, or chain CRIU and the jumps to it. */
void nft_text_remove_lock(char *text);
/* The same for iptables-save: chain CRIU and the jumps to it. */
void iptables_text_remove_lock(char *text);
/* Is there anything in @text, as printed by iptables-save, beside the lock, and chains that accept everything? */
bool iptables_text_has_rules(const char *text);
