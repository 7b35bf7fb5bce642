// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_text.h"
#include <dlfcn.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>
#include "netfilter/nft_table.h"
#include "base/bits.h"
#include "util/log.h"

#define LIBRARY "libnftables.so.1"

struct nftables {
	void *library;
	struct nft_ctx *ctx;
	__typeof__(nft_ctx_new) *new;
	__typeof__(nft_ctx_free) *free;
	__typeof__(nft_ctx_output_set_flags) *set_flags;
	__typeof__(nft_ctx_buffer_output) *buffer_output;
	__typeof__(nft_ctx_buffer_error) *buffer_error;
	__typeof__(nft_ctx_get_output_buffer) *output;
	__typeof__(nft_ctx_get_error_buffer) *error;
	__typeof__(nft_run_cmd_from_buffer) *run;
};

static int find_functions(struct nftables *n)
{
	const struct {
		void **to;
		const char *name;
	} functions[] = {
		{ (void **)&n->new, "nft_ctx_new" },
		{ (void **)&n->free, "nft_ctx_free" },
		{ (void **)&n->set_flags, "nft_ctx_output_set_flags" },
		{ (void **)&n->buffer_output, "nft_ctx_buffer_output" },
		{ (void **)&n->buffer_error, "nft_ctx_buffer_error" },
		{ (void **)&n->output, "nft_ctx_get_output_buffer" },
		{ (void **)&n->error, "nft_ctx_get_error_buffer" },
		{ (void **)&n->run, "nft_run_cmd_from_buffer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		*functions[i].to = dlsym(n->library, functions[i].name);
		if (!*functions[i].to)
			return fail(-ENOSYS, "%s has no function %s", LIBRARY, functions[i].name);
	}
	return 0;
}

static void close_library(struct nftables *n)
{
	if (n->ctx)
		n->free(n->ctx);
	if (n->library)
		dlclose(n->library);
}

static int open_library(struct nftables *n)
{
	int err;

	*n = (struct nftables){ .library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL) };
	if (!n->library)
		return -ENOPKG;
	err = find_functions(n);
	if (!err && !(n->ctx = n->new (NFT_CTX_DEFAULT)))
		err = fail(-ENOMEM, "create a context of %s", LIBRARY);
	if (!err && (n->buffer_output(n->ctx) || n->buffer_error(n->ctx)))
		err = fail(-ENOMEM, "buffers of %s", LIBRARY);
	if (err)
		close_library(n);
	return err;
}

/* The first line says what is wrong; others quote the text. */
static int report(const struct nftables *n, const char *what)
{
	const char *error = n->error(n->ctx);

	return fail(-EIO, "%s: %s: %.*s", what, LIBRARY, (int)strcspn(error ?: "", "\n"), error ?: "");
}

/* A table ends with the first line that begins with a brace. */
static const char *end_of_table(const char *table)
{
	const char *end = strstr(table, "\n}");

	if (!end)
		return table + strlen(table);
	end += strlen("\n}");
	return *end == '\n' ? end + 1 : end;
}

/* Lists of elements in a lock are text that nft(8) itself refuses; and the lock is no part of what is saved. */
static int add_others(struct buf *to, const char *text)
{
	static const char lock[] = "table inet " NFT_LOCK_PREFIX;
	int err = 0;

	while (!err && *text) {
		const char *end = end_of_table(text);

		if (!str_has_prefix(text, lock))
			err = buf_add(to, text, (size_t)(end - text));
		text = end;
	}
	return err;
}

int nft_text_read(struct buf *to)
{
	struct nftables n;
	int err = open_library(&n);

	if (err)
		return err;
	/* Priorities and such as numbers, not as names of this version of the library. */
	n.set_flags(n.ctx, NFT_CTX_OUTPUT_NUMERIC_ALL);
	if (n.run(n.ctx, "list ruleset")) {
		err = report(&n, "list the nf_tables rules");
	} else {
		err = add_others(to, n.output(n.ctx) ?: "");
	}
	close_library(&n);
	return err;
}

int nft_text_execute(const char *text)
{
	struct nftables n;
	int err = open_library(&n);

	if (err)
		return err;
	if (n.run(n.ctx, text))
		err = report(&n, "create the nf_tables rules");
	close_library(&n);
	return err;
}
