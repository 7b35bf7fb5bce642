// SPDX-License-Identifier: GPL-2.0-only
/* x86-64: instructions written over an old vDSO's functions. */
#include <asm/unistd.h>
#include <elf.h>
#include <string.h>
#include "base/bits.h"
#include "memory/vdso_code.h"

bool vdso_code_is_ours(uint16_t machine)
{
	return machine == EM_X86_64;
}

static void put(struct wire_vdso_patch *patch, const void *bytes, size_t len)
{
	memcpy(patch->code + patch->len, bytes, len);
	patch->len += len;
}

/* r11 is the one register that neither carries an argument on function entry nor has to be preserved. */
void vdso_code_jump(uint64_t to, struct wire_vdso_patch *patch)
{
	patch->len = 0;
	put(patch, "\x49\xbb", 2); /* mov $to,%r11 */
	put(patch, &to, sizeof(to));
	put(patch, "\x41\xff\xe3", 3); /* jmp *%r11 */
}

static void put_syscall(struct wire_vdso_patch *patch, uint32_t nr)
{
	put(patch, "\xb8", 1); /* mov $nr,%eax */
	put(patch, &nr, sizeof(nr));
	put(patch, "\x0f\x05\xc3", 3); /* syscall; ret */
}

static const char fail_enosys[] = "\x48\xc7\xc0\xda\xff\xff\xff\xc3"; /* mov $-ENOSYS,%rax; ret */

bool vdso_code_stub(const char *name, struct wire_vdso_patch *patch)
{
	static const struct {
		const char *name;
		uint32_t nr;
	} calls[] = {
		{ "clock_gettime", __NR_clock_gettime },
		{ "gettimeofday", __NR_gettimeofday },
		{ "clock_getres", __NR_clock_getres },
		{ "time", __NR_time },
		{ "getcpu", __NR_getcpu },
	};

	patch->len = 0;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!strcmp(name, calls[i].name)) {
			put_syscall(patch, calls[i].nr);
			return true;
		}
	}
	if (!strcmp(name, "getrandom")) {
		/* A fifth argument of -1 queries the state size, which no system call can answer. */
		put(patch, "\x49\x83\xf8\xff\x74\x08", 6); /* cmp $-1,%r8; je fail */
		put_syscall(patch, 318 /* __NR_getrandom */);
		put(patch, fail_enosys, sizeof(fail_enosys) - 1);
		return true;
	}
	put(patch, fail_enosys, sizeof(fail_enosys) - 1);
	return false;
}

bool vdso_code_at_syscall(const uint8_t *bytes, size_t len, uint64_t offset)
{
	if (offset >= 2 && offset <= len && !memcmp(bytes + offset - 2, "\x0f\x05", 2))
		return true;
	return offset + 2 <= len && !memcmp(bytes + offset, "\x0f\x05", 2);
}

uint64_t vdso_code_saved_ip(const CoreEntry *core)
{
	return core && core->thread_info && core->thread_info->gpregs ? core->thread_info->gpregs->ip : 0;
}
