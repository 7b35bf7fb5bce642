// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a message are those of CRIU 4.2. */
#include <errno.h>
#include "transport/message.h"
#include "util_check.h"

/* An ADD_F of 3 pages of the task 5 at 0x7f0011223000, LAZY | PRESENT. */
static const uint8_t captured[MESSAGE_SIZE] = {
	0x06, 0x00, 0x06, 0x00, 0xaa, 0xbb, 0xcc, 0xdd, /* command, flags, garbage */
	0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* nr_pages */
	0x00, 0x30, 0x22, 0x11, 0x00, 0x7f, 0x00, 0x00, /* vaddr */
	0x01, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* dst */
};

static void decode_captured(void)
{
	enum message_target target;
	struct message m;
	uint64_t id;

	message_decode(captured, &m);
	CHECK(m.command == MESSAGE_ADD_F && m.flags == (MESSAGE_LAZY | MESSAGE_PRESENT));
	CHECK(m.mark == 0xddccbbaau);
	CHECK(m.nr_pages == 3 && m.vaddr == 0x7f0011223000ull);
	CHECK(message_parse_dst(m.dst, &target, &id) == 0 && target == MESSAGE_TASK && id == 5);
}

static void encode_captured(void)
{
	const struct message m = {
		.command = MESSAGE_ADD_F,
		.flags = MESSAGE_LAZY | MESSAGE_PRESENT,
		.mark = 0xddccbbaau,
		.nr_pages = 3,
		.vaddr = 0x7f0011223000ull,
		.dst = message_dst(MESSAGE_TASK, 5),
	};
	uint8_t bytes[MESSAGE_SIZE];

	message_encode(&m, bytes);
	CHECK(!memcmp(bytes, captured, sizeof(bytes)));
}

static void close_has_16_bits(void)
{
	uint8_t bytes[MESSAGE_SIZE];
	struct message m = { .command = MESSAGE_FORCE_CLOSE };

	message_encode(&m, bytes);
	CHECK(bytes[0] == 0x24 && bytes[1] == 0x10 && !bytes[2] && !bytes[3]);
}

static void old_types(void)
{
	static const uint8_t tasks[] = { 1, 10, 11, 16, 17 }, segments[] = { 2, 27, 28, 29, 32, 33, 34 };
	enum message_target target;
	uint64_t id;
	int known = 0;

	for (unsigned int i = 0; i < sizeof(tasks); i++)
		CHECK(!message_parse_dst(7 << 8 | tasks[i], &target, &id) && target == MESSAGE_TASK && id == 7);
	for (unsigned int i = 0; i < sizeof(segments); i++)
		CHECK(!message_parse_dst(9 << 8 | segments[i], &target, &id) && target == MESSAGE_SEGMENT && id == 9);
	for (unsigned int type = 0; type < 256; type++)
		known += message_parse_dst(type, &target, &id) == 0;
	CHECK(known == sizeof(tasks) + sizeof(segments));
}

int main(void)
{
	RUN(decode_captured);
	RUN(encode_captured);
	RUN(close_has_16_bits);
	RUN(old_types);
	DONE();
}
