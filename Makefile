# SPDX-License-Identifier: GPL-2.0-only
# build, check, bench, demo, install, lint: the main entry point.
#   make            everything that is installed          make check   the whole test suite
#   make BUILD=dir  build in another folder               make SAN=1   with address and undefined sanitizers
#   make ARCH=cpu   for a CPU other than the compiler's own: uses the folders with its name (Documentation/PORTING.md)
BUILD    ?= build
PREFIX   ?= /usr/local
CC       ?= gcc
HOSTCC   ?= $(CC)
OBJCOPY  ?= objcopy
ifndef ARCH
ARCH     := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
endif
SAN      ?= 0
DEBUG    ?= 0
OPT      ?= -O2

WARN     := -Wall -Wextra -Wshadow -Werror -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
CSTD     := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
# Libraries are linked statically where there is an archive of them: libnl-3 as a shared library costs each start 60 us,
# and each mapping of a library costs every task of a restore, which is forked with it and unmaps it.
comma := ,
static_or_shared = $(if $(wildcard $(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(1))
LIBNL    := $(call static_or_shared,nl-3) -lpthread
LIBNL_INCLUDE := -isystem /usr/include/libnl3
# Of libarchive only tar and gzip are used; what other formats need of other libraries is dropped with them. As a shared
# library it would load 16 others, 2.5 ms in each start.
LIBARCHIVE := $(if $(filter -l:%,$(call static_or_shared,archive)),-Wl$(comma)--gc-sections -l:libarchive.a,-larchive) $(call static_or_shared,z)
LIBCODECS := $(call static_or_shared,lz4) $(call static_or_shared,zstd)
ifeq ($(wildcard mk/arch/$(ARCH).mk),)
$(error no port to the CPU "$(ARCH)"; there are: $(basename $(notdir $(wildcard mk/arch/*.mk))). See Documentation/PORTING.md)
endif
include mk/arch/$(ARCH).mk
# Drops files in folders of other CPUs: $(call of_this_arch,FILES)
OTHER_ARCHS  := $(filter-out $(ARCH),$(basename $(notdir $(wildcard mk/arch/*.mk))))
of_this_arch = $(foreach f,$(1),$(if $(filter $(OTHER_ARCHS),$(subst /, ,$(f))),,$(f)))

# Headers that code in a blob may use, and all.
PIE_INCLUDE := -Iinclude -Iinclude/arch/$(ARCH) -Icompel/include -Icompel/arch/$(ARCH)/include -Icriu -Icriu/pie/$(ARCH)/include
INCLUDE  := $(PIE_INCLUDE) -I$(BUILD)/images -I$(BUILD)/gen $(LIBNL_INCLUDE)
CFLAGS   := $(CSTD) $(OPT) -g $(WARN) $(INCLUDE) -fno-common
ifeq ($(DEBUG),1)
CFLAGS   += -DDEBUG_FAULTS
endif
ifeq ($(SAN),1)
CFLAGS   += -fsanitize=address,undefined -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
endif
# Code that runs in another process: no libc, no FPU registers, no relocations.
PIE_CFLAGS := $(CSTD) -O2 -g $(WARN) $(PIE_INCLUDE) -ffreestanding -fpie -fvisibility=hidden -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-jump-tables $(PIE_ARCH_CFLAGS)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

include mk/images.mk
include mk/compel.mk
include mk/criu.mk
include mk/lib.mk mk/py.mk
include mk/image_tests.mk mk/kernel_tests.mk mk/archive_tests.mk mk/request_tests.mk mk/run_tests.mk mk/lazy_tests.mk mk/transport_tests.mk mk/net_tests.mk mk/vdso_tests.mk mk/kinds_tests.mk
include mk/fuzz_load.mk
include mk/test.mk mk/bench.mk
include mk/install.mk

all: $(BUILD)/criu $(BUILD)/compel $(BUILD)/libcompel.a $(BUILD)/libcompel-pie.a $(LIBCRIU) $(PY) $(BUILD)/crit $(BUILD)/criu-migrate

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(BUILD)

# Prints the targets, one per line.
help:
	@sed -n '2,5p' Makefile

.PHONY: all clean help check bench demo install lint
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
