# SPDX-License-Identifier: GPL-2.0-only
# Unit tests and the fuzz target of criu/archive.
ARCHIVE_TEST_SRC   := $(wildcard criu/util/*.c criu/util/$(ARCH)/*.c criu/archive/*.c)
ARCHIVE_TEST_OBJS  := $(ARCHIVE_TEST_SRC:%.c=$(BUILD)/test/obj/%.o)
ARCHIVE_UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/archive_*.c))
ARCHIVE_FUZZ       := $(BUILD)/test/fuzz/fuzz_archive
FUZZ_TARGETS       += $(ARCHIVE_FUZZ)

$(ARCHIVE_UNIT_TESTS): $(BUILD)/test/unit/%: test/unit/%.c $(ARCHIVE_TEST_OBJS) test/unit/util_check.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(ARCHIVE_TEST_OBJS) $(LIBARCHIVE)

$(ARCHIVE_FUZZ): $(BUILD)/%: %.c $(ARCHIVE_TEST_SRC) $(wildcard criu/util/*.h criu/archive/*.h include/base/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) $(FUZZ_FLAGS) $(PIE_INCLUDE) -o $@ $< $(ARCHIVE_TEST_SRC) $(LIBARCHIVE)
