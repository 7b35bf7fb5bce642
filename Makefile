# SPDX-License-Identifier: GPL-2.0-only
# build, check, bench, demo, install, lint: the only entry a person needs.
#   make            everything that is installed          make check   the whole test suite
#   make BUILD=dir  build somewhere else                  make SAN=1   with address and undefined sanitizers
BUILD    ?= build
PREFIX   ?= /usr/local
CC       ?= gcc
HOSTCC   ?= $(CC)
SAN      ?= 0
DEBUG    ?= 0
OPT      ?= -O2

WARN     := -Wall -Wextra -Wshadow -Werror -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
CSTD     := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
INCLUDE  := -Iinclude -Icompel/include -Icompel/arch/x86_64/include -Icriu -I$(BUILD)/images -I$(BUILD)/gen
CFLAGS   := $(CSTD) $(OPT) -g $(WARN) $(INCLUDE) -fno-common
ifeq ($(DEBUG),1)
CFLAGS   += -DDEBUG_FAULTS
endif
ifeq ($(SAN),1)
CFLAGS   += -fsanitize=address,undefined -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
endif
# Code that runs inside another process: no libc, no SSE registers, nothing that needs relocation.
PIE_CFLAGS := $(CSTD) -O2 -g $(WARN) -Iinclude -Icompel/include -Icompel/arch/x86_64/include -Icriu -ffreestanding -fpie -fvisibility=hidden -fno-stack-protector \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only -fno-tree-loop-distribute-patterns -fno-jump-tables -fcf-protection=none

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

include mk/images.mk
include mk/compel.mk
include mk/criu.mk
include mk/image_tests.mk mk/kernel_tests.mk mk/request_tests.mk mk/vdso_tests.mk mk/kinds_tests.mk
include mk/fuzz_load.mk
include mk/test.mk mk/bench.mk
include mk/install.mk

all: $(BUILD)/criu $(BUILD)/compel $(BUILD)/libcompel.a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(BUILD)

# One name a line: what `make` offers.
help:
	@sed -n '2,4p' Makefile

.PHONY: all clean help check bench demo install lint
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
