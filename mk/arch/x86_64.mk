# SPDX-License-Identifier: GPL-2.0-only
# Build settings for this CPU. Documentation/PORTING.md lists what else a CPU needs.

# Code that runs in another process: only general registers, which are saved anyway; no landing pads for indirect branches.
PIE_ARCH_CFLAGS := -mgeneral-regs-only -fcf-protection=none
# For scripts/check_pie: relocations that need no address; FPU register operands.
PIE_RELOCATIONS := R_X86_64_(NONE|PC32|PC64|PLT32|GOTPCREL|GOTPCRELX|REX_GOTPCRELX)
PIE_FPU_OPERAND := %([xyz]mm|mm|st\()
# For cppcheck, which has no predefined macros.
CPPCHECK_ARCH   := --platform=unix64 -D__x86_64__
