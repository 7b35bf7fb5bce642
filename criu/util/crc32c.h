/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32C (Castagnoli): every error of up to 32 adjacent bits is detected. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CRC32C_PAGE = 4096 };

/* @crc: of what comes before @buf; 0 at the beginning. */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);
/* Of each of @n pages (CRC32C_PAGE bytes) by itself; faster than one after the other. */
void crc32c_pages(const void *pages, size_t n, uint32_t *ret_sums);
