# SPDX-License-Identifier: GPL-2.0-only
# test/kinds/NAME.c -> $(BUILD)/test/kinds/NAME; can be used alone: make -f mk/kinds_tests.mk BUILD=dir kind-tests
BUILD  ?= build
CC     ?= gcc
CSTD   ?= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
WARN   ?= -Wall -Wextra -Wshadow -Werror -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter

# The tests themselves are never built with sanitizers: these take over the address space and the signal handlers.
KIND_CFLAGS := $(CSTD) -O2 -g $(WARN) -fno-common -pthread -Itest/kinds
KIND_LIB    := test/kinds/checkpoint.c
KIND_HDRS   := $(sort $(wildcard test/kinds/*.h))
KIND_SRC    := $(filter-out $(KIND_LIB),$(sort $(wildcard test/kinds/*.c)))
KIND_TESTS  := $(KIND_SRC:%.c=$(BUILD)/%)
KIND_LIBS   := -lrt

kind-tests: $(KIND_TESTS)
.PHONY: kind-tests

$(BUILD)/test/kinds/checkpoint.o: $(KIND_LIB) test/kinds/checkpoint.h
	@mkdir -p $(@D)
	$(CC) $(KIND_CFLAGS) -c -o $@ $<

$(KIND_TESTS): $(BUILD)/test/kinds/%: test/kinds/%.c $(BUILD)/test/kinds/checkpoint.o $(KIND_HDRS)
	$(CC) $(KIND_CFLAGS) -o $@ $< $(BUILD)/test/kinds/checkpoint.o $(KIND_LIBS)

# The first process of the pid namespaces in which kind tests run.
$(BUILD)/test/runner/init: test/runner/init.c
	@mkdir -p $(@D)
	$(CC) $(KIND_CFLAGS) -o $@ $<

kind-tests: $(BUILD)/test/runner/init

# The program that test/kill, test/cli dump.
KILL_TESTS := $(addprefix $(BUILD)/test/kill/,busy changing held lazy reaper rich stuck torn)

$(KILL_TESTS): $(BUILD)/test/kill/%: test/kill/%.c test/kill/report.h
	@mkdir -p $(@D)
	$(CC) $(KIND_CFLAGS) -o $@ $< $(KIND_LIBS)

kind-tests: $(KILL_TESTS)

# What test/fuzz/incremental dumps.
kind-tests: $(BUILD)/test/fuzz/memory_changes
$(BUILD)/test/fuzz/memory_changes: test/fuzz/memory_changes.c
	@mkdir -p $(@D)
	$(CC) $(KIND_CFLAGS) -o $@ $<

# What runs in the containers of test/engines, which have no libraries.
kind-tests: $(BUILD)/test/engines/guest
$(BUILD)/test/engines/guest: test/engines/guest.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O2 -g $(WARN) -pthread -static -o $@ $<
