# SPDX-License-Identifier: GPL-2.0-only
# The fuzz target of load and link: all modules except cli and dump, instrumented, in separate objects.
FUZZ_LOAD      := $(BUILD)/test/fuzz/fuzz_load
FUZZ_LOAD_SRC  := $(filter-out criu/cli/% criu/util/faults.c,$(CRIU_SRC)) test/fuzz/fuzz_load.c test/fuzz/fuzz_load_mutate.c
FUZZ_LOAD_OBJS := $(FUZZ_LOAD_SRC:%.c=$(BUILD)/fuzz/%.o)
FUZZ_TARGETS   += $(FUZZ_LOAD)

$(FUZZ_LOAD_OBJS): | $(PROTO_H) $(BLOB_HDRS)

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) -O1 -g $(INCLUDE) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -MMD -MP \
		-c -o $@ $<

$(FUZZ_LOAD): $(FUZZ_LOAD_OBJS) $(BUILD)/libcompel.a $(BUILD)/libimages.a
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(CRIU_LIBS)
