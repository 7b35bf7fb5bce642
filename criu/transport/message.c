// SPDX-License-Identifier: GPL-2.0-only
#include "transport/message.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "util/crc32c.h"

/* Offsets of the fields. */
enum { AT_COMMAND = 0, AT_MARK = 4, AT_NR_PAGES = 8, AT_VADDR = 16, AT_DST = 24 };

static void put_u32(uint8_t *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof(v));
}

static void put_u64(uint8_t *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof(v));
}

static uint32_t get_u32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return le32toh(v);
}

static uint64_t get_u64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return le64toh(v);
}

void message_encode(const struct message *m, uint8_t to[MESSAGE_SIZE])
{
	put_u32(to + AT_COMMAND, (uint32_t)m->flags << 16 | m->command);
	put_u32(to + AT_MARK, m->mark);
	put_u64(to + AT_NR_PAGES, m->nr_pages);
	put_u64(to + AT_VADDR, m->vaddr);
	put_u64(to + AT_DST, m->dst);
}

void message_decode(const uint8_t from[MESSAGE_SIZE], struct message *ret)
{
	const uint32_t command = get_u32(from + AT_COMMAND);

	*ret = (struct message){
		.command = (uint16_t)command,
		.flags = (uint16_t)(command >> 16),
		.mark = get_u32(from + AT_MARK),
		.nr_pages = get_u64(from + AT_NR_PAGES),
		.vaddr = get_u64(from + AT_VADDR),
		.dst = get_u64(from + AT_DST),
	};
}

const char *message_name(uint16_t command, char *buffer, unsigned int size)
{
	static const char *const names[] = {
		[MESSAGE_ADD] = "ADD",	     [MESSAGE_HOLE] = "HOLE",
		[MESSAGE_OPEN] = "OPEN",     [MESSAGE_OPEN2] = "OPEN2",
		[MESSAGE_PARENT] = "PARENT", [MESSAGE_ADD_F] = "ADD_F",
		[MESSAGE_GET] = "GET",	     [MESSAGE_ADD_F_COMPRESSED] = "ADD_F_COMPRESSED",
	};

	if (command == MESSAGE_CLOSE)
		return "CLOSE";
	if (command == MESSAGE_FORCE_CLOSE)
		return "FORCE_CLOSE";
	if (command == MESSAGE_ABANDON)
		return "ABANDON";
	if (command == MESSAGE_COMPLETE)
		return "COMPLETE";
	if (command < ARRAY_SIZE(names) && names[command])
		return names[command];
	snprintf(buffer, size, "command %#x", command);
	return buffer;
}

uint64_t message_dst(enum message_target target, uint64_t id)
{
	return id << 8 | (uint64_t)target;
}

int message_parse_dst(uint64_t dst, enum message_target *ret_target, uint64_t *ret_id)
{
	enum message_target target;

	switch (dst & 0xff) {
	case MESSAGE_TASK:
	/* Older programs sent the numbers of images. */
	case 10:
	case 11:
	case 16:
	case 17:
		target = MESSAGE_TASK;
		break;
	case MESSAGE_SEGMENT:
	case 27:
	case 28:
	case 29:
	case 32:
	case 33:
	case 34:
		target = MESSAGE_SEGMENT;
		break;
	default:
		return -EINVAL;
	}
	*ret_target = target;
	*ret_id = dst >> 8;
	return 0;
}

uint32_t message_sum(uint32_t sum, const uint32_t *page_sums, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint32_t bytes = htole32(page_sums[i]);

		sum = crc32c(sum, &bytes, sizeof(bytes));
	}
	return sum;
}
