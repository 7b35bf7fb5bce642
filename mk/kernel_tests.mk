# SPDX-License-Identifier: GPL-2.0-only
# Unit tests and fuzz targets of the modules that read the kernel. They link only these, built separately, so that
# nothing else has to compile.
KERNEL_MODULES    := util kernel netlink netfilter kmem features
KERNEL_TEST_NAMES := $(basename $(notdir $(wildcard test/unit/util_*.c test/unit/kernel_*.c)))
KERNEL_UNIT_TESTS := $(KERNEL_TEST_NAMES:%=$(BUILD)/test/unit/%)
KERNEL_MODULE_SRC   := $(wildcard $(KERNEL_MODULES:%=criu/%/*.c) criu/util/$(ARCH)/*.c)
KERNEL_MODULE_OBJS  := $(KERNEL_MODULE_SRC:%.c=$(BUILD)/test/obj/%.o)
KERNEL_FUZZ       := $(BUILD)/test/fuzz/fuzz_proc $(BUILD)/test/fuzz/fuzz_diag
FUZZ_TARGETS      += $(KERNEL_FUZZ)
FUZZ_CC           ?= clang
FUZZ_FLAGS        := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -O1 -g

$(BUILD)/test/obj/criu/%.o: criu/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(KERNEL_UNIT_TESTS): $(BUILD)/test/unit/%: test/unit/%.c $(KERNEL_MODULE_OBJS) test/unit/util_check.h \
		$(wildcard criu/pie/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(KERNEL_MODULE_OBJS) $(LIBNL)

$(KERNEL_FUZZ): $(BUILD)/%: %.c $(KERNEL_MODULE_SRC) $(wildcard $(KERNEL_MODULES:%=criu/%/*.h) include/base/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) $(FUZZ_FLAGS) $(PIE_INCLUDE) $(LIBNL_INCLUDE) -o $@ $< $(KERNEL_MODULE_SRC) $(LIBNL)
