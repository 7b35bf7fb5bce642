/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of the user namespace kind. */
#pragma once
#include "run/dump.h"
#include "run/restore.h"

int user_survey(struct dump *dump);
int user_save(struct dump *dump);
int user_load(struct restore *r, struct ns *ns);
int user_link(struct restore *r);
int user_make(struct restore *r, struct ns *ns);
