/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a dump with --stream leaves in the images directory for the next one: which pages the receiver has (image/sent_pages.h), and
 * the inventory. All functions return 0 or a negative errno, logged.
 */
#pragma once
#include "inventory.pb-c.h"
#include "run/dump.h"

/* dump->record: for a pre-dump, with --track-mem, or with --prev-images-dir. After dump->dir has been opened. */
int record_open(struct dump *dump);
/* What has been written to dump->dir. */
int record_inventory(struct dump *dump, InventoryEntry *entry);
/* Before the stream is complete, and after that: without a failure then. */
int record_publish(struct dump *dump);
int record_commit(struct dump *dump);
