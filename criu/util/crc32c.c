// SPDX-License-Identifier: GPL-2.0-only
#include "util/crc32c.h"

#include <pthread.h>
#include <stdbool.h>

#include "util/crc32c_cpu.h"

/* Reversed bits of the polynomial 0x1edc6f41. */
#define POLYNOMIAL 0x82f63b78u
/* The instruction has a latency of three cycles: three independent sums keep the CPU busy. */
#define LANE 4096ul

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool by_cpu;
/* The effect of one byte, and of LANE zero bytes on each byte of the register. */
static uint32_t of_byte[256], of_lane[4][256];

static uint32_t step_bytes(uint32_t state, const uint8_t *buf, size_t len)
{
	while (len--)
		state = state >> 8 ^ of_byte[(state ^ *buf++) & 0xff];
	return state;
}

/* Linear: the effect on a byte is the sum of those on its bits. */
static void fill_lane(uint32_t table[256], uint32_t shift)
{
	static const uint8_t zeros[LANE];

	for (uint32_t bit = 1; bit < 256; bit <<= 1) {
		table[bit] = crc32c_cpu(bit << shift, zeros, LANE);
		for (uint32_t below = 1; below < bit; below++)
			table[bit | below] = table[bit] ^ table[below];
	}
}

static void init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		of_byte[i] = i;
		for (int bit = 0; bit < 8; bit++)
			of_byte[i] = of_byte[i] >> 1 ^ (of_byte[i] & 1 ? POLYNOMIAL : 0);
	}
	by_cpu = crc32c_cpu_has();
	for (uint32_t i = 0; by_cpu && i < 4; i++)
		fill_lane(of_lane[i], 8 * i);
}

static uint32_t after_lane(uint32_t state)
{
	return of_lane[0][state & 0xff] ^ of_lane[1][state >> 8 & 0xff] ^ of_lane[2][state >> 16 & 0xff] ^
	       of_lane[3][state >> 24];
}

static uint32_t step_cpu(uint32_t state, const uint8_t *buf, size_t len)
{
	for (; len >= 3 * LANE; len -= 3 * LANE, buf += 3 * LANE) {
		uint32_t lanes[3] = { state };

		crc32c_cpu_three(lanes, buf, LANE);
		state = after_lane(after_lane(lanes[0]) ^ lanes[1]) ^ lanes[2];
	}
	return crc32c_cpu(state, buf, len);
}

uint32_t crc32c(uint32_t crc, const void *buf, size_t len)
{
	pthread_once(&once, init);
	return ~(by_cpu ? step_cpu(~crc, buf, len) : step_bytes(~crc, buf, len));
}

void crc32c_pages(const void *pages, size_t n, uint32_t *ret_sums)
{
	const uint8_t *at = pages;
	size_t i = 0;

	pthread_once(&once, init);
	for (; by_cpu && i + 3 <= n; i += 3, at += 3 * CRC32C_PAGE) {
		uint32_t lanes[3] = { ~0u, ~0u, ~0u };

		crc32c_cpu_three(lanes, at, CRC32C_PAGE);
		for (int lane = 0; lane < 3; lane++)
			ret_sums[i + lane] = ~lanes[lane];
	}
	for (; i < n; i++, at += CRC32C_PAGE)
		ret_sums[i] = crc32c(0, at, CRC32C_PAGE);
}
