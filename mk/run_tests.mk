# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of run/: one file each, linked from an archive.
RUN_TEST_SRC   := $(wildcard test/unit/run_*.c)
RUN_UNIT_TESTS := $(RUN_TEST_SRC:%.c=$(BUILD)/%)
RUN_OBJS       := $(patsubst %.c,$(BUILD)/obj/%.o,criu/run/rights.c criu/run/caps.c criu/run/shared.c $(wildcard criu/util/*.c criu/util/$(ARCH)/*.c))

$(BUILD)/test/unit/run.a: $(RUN_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(RUN_UNIT_TESTS): %: %.o $(BUILD)/test/unit/run.a
	$(CC) $(LDFLAGS) -o $@ $^ -lcap
