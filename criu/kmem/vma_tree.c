// SPDX-License-Identifier: GPL-2.0-only
/* The mappings of a process in kernel memory: a maple tree of struct vm_area_struct (Linux 6.1). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kmem/tasks.h"
#include "kmem/tasks_reader.h"

#define MAPPINGS_MAX 8192u
#define NODES_MAX 2048u /* of one level: more than half full, and gaps have slots, too */
#define NODE_MAX 256u
#define MAPPING_MAX 256u
#define AT_ONCE 32u
#define LEVELS_MAX 16 /* a process that runs may free what is read here: then it may lead anywhere, and back */
/* Low bits of the address of a node: its type. */
#define NODE_BITS 0xffull
#define ROOT_IS_NODE 2u
enum { LEAF_64 = 1, RANGE_64 = 2, ARANGE_64 = 3 };

struct node {
	uint64_t at, max; /* its last index */
	unsigned type;
};

/* One level of the tree, left to right. */
struct level {
	struct node nodes[NODES_MAX];
	size_t n;
};

struct mapping_walk {
	struct kernel_tasks_reader *reader;
	struct level levels[2];
	char bytes[NODES_MAX][NODE_MAX];
	uint64_t mappings[MAPPINGS_MAX];
	size_t nr, most;
};

static bool add(struct mapping_walk *w, struct level *below, const struct node *from, uint64_t slot, uint64_t max)
{
	if (from->type == LEAF_64) {
		if (slot && w->nr == w->most)
			return false;
		if (slot)
			w->mappings[w->nr++] = slot;
		return true;
	}
	if (!slot || below->n == NODES_MAX)
		return false;
	below->nodes[below->n++] = (struct node){ slot & ~NODE_BITS, max, slot >> 3 & 0xf };
	return true;
}

/* Slots are valid up to the first one whose pivot is 0 or the end of the node; the rest is stale. */
static bool take_node(struct mapping_walk *w, struct level *below, const struct node *node, const char *bytes)
{
	const struct kernel_tasks_fields *at = &w->reader->at;
	const bool inner = node->type == ARANGE_64;
	const long pivot = inner ? at->inner_pivot : at->leaf_pivot, slot = inner ? at->inner_slot : at->leaf_slot;
	const long pivots = (slot - pivot) / 8;
	uint64_t last = 0;

	if (node->type != LEAF_64 && node->type != RANGE_64 && !inner)
		return false;
	for (long i = 0; i <= pivots; i++) {
		uint64_t end = i < pivots ? kernel_number(bytes, pivot + 8 * i, 8) : node->max;

		end = i && !end ? node->max : end;
		if (end < last || end > node->max || !add(w, below, node, kernel_number(bytes, slot + 8 * i, 8), end))
			return false;
		if (end == node->max)
			return true;
		last = end;
	}
	return false;
}

static bool walk_level(struct mapping_walk *w, const struct level *level, struct level *below)
{
	below->n = 0;
	for (size_t i = 0; i < level->n; i++)
		kernel_batch_add(&w->reader->batch, level->nodes[i].at, w->bytes[i], (size_t)w->reader->at.node_size);
	if (kernel_batch_run(&w->reader->batch))
		return false;
	for (size_t i = 0; i < level->n; i++)
		if (!take_node(w, below, &level->nodes[i], w->bytes[i]))
			return false;
	return true;
}

static bool find_mappings(struct mapping_walk *w, uint64_t root)
{
	struct level *level = w->levels, *below = w->levels + 1, *swap;
	int depth = 0;

	if ((root & 3) != ROOT_IS_NODE || w->reader->at.node_size > NODE_MAX)
		return false;
	level->nodes[0] = (struct node){ root & ~NODE_BITS, UINT64_MAX, root >> 3 & 0xf };
	for (level->n = 1; level->n;) {
		if (++depth > LEVELS_MAX || !walk_level(w, level, below))
			return false;
		swap = level;
		level = below;
		below = swap;
	}
	return true;
}

static void take_mapping(const struct kernel_tasks_reader *r, const char *from, struct kernel_mapping *to)
{
	*to = (struct kernel_mapping){
		.start = kernel_number(from, r->at.vma_start, 8),
		.end = kernel_number(from, r->at.vma_end, 8),
		.flags = kernel_number(from, r->at.vma_flags, 8),
		.offset = kernel_number(from, r->at.vma_offset, 8),
		.file = kernel_number(from, r->at.vma_file, 8),
		.ops = kernel_number(from, r->at.vma_ops, 8),
		.data = kernel_number(from, r->at.vma_data, 8),
		.name = r->at.vma_name < 0 ? 0 : kernel_number(from, r->at.vma_name, 8),
		.policy = kernel_number(from, r->at.vma_policy, 8),
	};
}

static int read_mappings(struct mapping_walk *w, struct kernel_mapping *to)
{
	char bytes[AT_ONCE][MAPPING_MAX];
	int err = 0;

	for (size_t i = 0, n; !err && i < w->nr; i += n) {
		n = MIN_OF(w->nr - i, (size_t)AT_ONCE);
		for (size_t k = 0; k < n; k++)
			kernel_batch_add(&w->reader->batch, w->mappings[i + k], bytes[k],
					 (size_t)w->reader->at.vma_size);
		err = kernel_batch_run(&w->reader->batch);
		for (size_t k = 0; !err && k < n; k++)
			take_mapping(w->reader, bytes[k], &to[i + k]);
	}
	return err;
}

/* Memory files have policies that apply to all their mappings. */
static int read_file_policies(struct kernel_tasks_reader *r, struct kernel_mapping *mappings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kernel_batch_add(&r->batch, mappings[i].ops ? mappings[i].ops + (uint64_t)r->at.get_policy : 0,
				 &mappings[i].file_policy, 8);
	return kernel_batch_run(&r->batch);
}

int kernel_task_read_mappings(struct kernel_tasks_reader *reader, struct kernel_task *task, size_t most)
{
	struct mapping_walk *w = reader->walk ?: malloc(sizeof(*w));
	uint64_t root = 0;
	int err;

	if (!w)
		return -ENOMEM;
	reader->walk = w;
	w->reader = reader;
	w->nr = 0;
	w->most = MIN_OF(most, (size_t)MAPPINGS_MAX);
	/* Now: code that ran in the process since it was read may have changed the tree, whose old nodes are free memory. */
	kernel_batch_add(&reader->batch, task->mm ? task->mm + (uint64_t)reader->at.mm_tree : 0, &root, sizeof(root));
	err = kernel_batch_run(&reader->batch);
	if (err)
		return err;
	if (reader->at.vma_size <= 0 || reader->at.vma_size > MAPPING_MAX || !find_mappings(w, root) || !w->nr)
		return -EOPNOTSUPP;
	free(task->mappings);
	task->nr_mappings = 0;
	task->mappings = calloc(w->nr, sizeof(*task->mappings));
	if (!task->mappings)
		return -ENOMEM;
	err = read_mappings(w, task->mappings);
	if (!err)
		err = read_file_policies(reader, task->mappings, w->nr);
	task->nr_mappings = err ? 0 : w->nr;
	return err;
}
