/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32C by an instruction of the CPU, in a file for each (util/ARCH/crc32c_cpu.c): on the register, without the inversions at both ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool crc32c_cpu_has(void);
uint32_t crc32c_cpu(uint32_t state, const uint8_t *buf, size_t len);
/* The same for three buffers that follow each other in memory, each of @len bytes, a multiple of 8, from @state[i] on. */
void crc32c_cpu_three(uint32_t state[3], const uint8_t *buf, size_t len);
