# SPDX-License-Identifier: GPL-2.0-only
# What the build has to know about this CPU. Documentation/PORTING.md lists what else a CPU needs.
# Code inside another process: only general registers, which are saved anyway; no landing pads for indirect branches.
PIE_ARCH_CFLAGS := -mgeneral-regs-only -fcf-protection=none
# For scripts/check_pie: relocations that need no address; operands that are registers of the FPU.
PIE_RELOCATIONS := R_X86_64_(NONE|PC32|PC64|PLT32|GOTPCREL|GOTPCRELX|REX_GOTPCRELX)
PIE_FPU_OPERAND := %([xyz]mm|mm|st\()
# For cppcheck, which knows no predefined macros.
CPPCHECK_ARCH   := --platform=unix64 -D__x86_64__
