# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of lazy/.
LAZY_TEST := $(BUILD)/test/unit/lazy_space

$(LAZY_TEST): $(BUILD)/test/unit/lazy_space.o $(BUILD)/obj/criu/lazy/space.o
	$(CC) $(LDFLAGS) -o $@ $^

LAZY_FUZZ     := $(BUILD)/test/fuzz/fuzz_lazy
LAZY_FUZZ_SRC := criu/lazy/arrivals.c criu/lazy/journal.c criu/lazy/members.c criu/lazy/space.c criu/kernel/scan.c $(wildcard criu/kernel/proc_*.c) $(wildcard criu/util/*.c criu/util/$(ARCH)/*.c)
FUZZ_TARGETS  += $(LAZY_FUZZ)

$(LAZY_FUZZ): $(BUILD)/%: %.c $(LAZY_FUZZ_SRC) $(wildcard criu/lazy/*.h criu/util/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) $(FUZZ_FLAGS) $(INCLUDE) -o $@ $< $(LAZY_FUZZ_SRC)
