// SPDX-License-Identifier: GPL-2.0-only
/* CRC-32C by the instruction of SSE 4.2. */
#include <cpuid.h>
#include <string.h>

#include "util/crc32c_cpu.h"
#include "util/x86_64/cpuid.h"

#define SSE42 __attribute__((target("sse4.2")))

bool crc32c_cpu_has(void)
{
	/* Not __builtin_cpu_supports(), whose constructor executes some ten CPUIDs at each start of the program. */
	return cpuid_features().c & bit_SSE4_2;
}

static uint64_t word(const uint8_t *buf)
{
	uint64_t v;

	memcpy(&v, buf, sizeof(v));
	return v;
}

SSE42 uint32_t crc32c_cpu(uint32_t state, const uint8_t *buf, size_t len)
{
	uint64_t sum = state;

	for (; len >= 8; len -= 8, buf += 8)
		sum = __builtin_ia32_crc32di(sum, word(buf));
	while (len--)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, *buf++);
	return (uint32_t)sum;
}

SSE42 void crc32c_cpu_three(uint32_t state[3], const uint8_t *buf, size_t len)
{
	uint64_t a = state[0], b = state[1], c = state[2];

	for (size_t i = 0; i < len; i += 8) {
		a = __builtin_ia32_crc32di(a, word(buf + i));
		b = __builtin_ia32_crc32di(b, word(buf + len + i));
		c = __builtin_ia32_crc32di(c, word(buf + 2 * len + i));
	}
	state[0] = (uint32_t)a;
	state[1] = (uint32_t)b;
	state[2] = (uint32_t)c;
}
