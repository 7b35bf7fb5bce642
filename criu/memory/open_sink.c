/* SPDX-License-Identifier: GPL-2.0-only */
/* Selects the sink that a dump writes its pages to. */
#include "memory/memory.h"
#include "memory/page_sink.h"
#include "memory/tracking.h"
#include "transport/client.h"

static int open_own(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	if (dump->opts->page_server)
		return server_sink_open(dump, type, id, ret_sink);
	if (dump->opts->compress)
		return compress_sink_open(dump, type, id, ret_sink);
	if (image_store_sequential(dump->dir))
		return ordered_sink_open(dump, type, id, ret_sink);
	return image_sink_open(dump, type, id, ret_sink);
}

int page_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	_cleanup_page_sink_ struct page_sink *sink = NULL;
	const bool sends = dump->record || dump->opts->page_server;
	int err = open_own(dump, type, id, &sink);

	/* For the next dump, if there may be one that leaves pages out. */
	if (!err && sends && dump->opts->track_mem && type == IMAGE_PAGEMAP)
		err = record_sink_open(dump, id, &sink);
	if (!err)
		*ret_sink = steal_ptr(&sink);
	return err;
}

int memory_connect_server(struct dump *dump)
{
	int err = 0;

	if (!dump->opts->page_server)
		return 0;
	if (*dump->page_client)
		page_client_set_stop(*dump->page_client, dump->signal_fd);
	else
		err = page_client_new(dump->opts, dump->signal_fd, dump->page_client);
	return err ? err : track_ask_server(dump);
}

int memory_finish_server(struct dump *dump)
{
	return dump->opts->page_server ? page_client_finish(*dump->page_client) : 0;
}

int memory_tell_server(struct dump *dump)
{
	if (dump->opts->page_server)
		page_client_tell_complete(*dump->page_client);
	return 0;
}
