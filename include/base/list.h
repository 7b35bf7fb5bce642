/* SPDX-License-Identifier: LGPL-2.1-only */
/* Doubly linked list with the head as a node of its own. Owners free; the list never does. */
#pragma once
#include "base/bits.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline int list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *item, struct list *head)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)
#define list_for_each(pos, head, member)                                               \
	for (pos = list_first(head, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_safe(pos, nxt, head, member)                        \
	for (pos = list_first(head, __typeof__(*pos), member),            \
	    nxt = list_entry(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (head); pos = nxt, nxt = list_entry(nxt->member.next, __typeof__(*nxt), member))
