# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the module image: `make image-check` builds and runs them, with any BUILD. Fuzzing needs clang: `make
# image-fuzz` runs each target for FUZZ_SECONDS.
IMAGE_MODULE_SRC   := $(wildcard criu/image/*.c) criu/util/arena.c criu/util/array.c criu/util/fds.c criu/util/crc32c.c criu/util/uuid.c criu/util/proc_root.c $(wildcard criu/util/$(ARCH)/*.c) criu/util/hash.c criu/util/str.c
IMAGE_MODULE_OBJS  := $(IMAGE_MODULE_SRC:%.c=$(BUILD)/obj/%.o)
IMAGE_TEST_HELPERS := test/unit/image_helper.c test/unit/memory_store_helper.c
IMAGE_TEST_SRC   := $(filter-out $(IMAGE_TEST_HELPERS),$(wildcard test/unit/image_*.c))
IMAGE_UNIT_TESTS := $(IMAGE_TEST_SRC:%.c=$(BUILD)/%)
IMAGE_FUZZ       := $(patsubst %.c,$(BUILD)/%,$(wildcard test/fuzz/fuzz_framing*.c))
FUZZ_TARGETS     += $(IMAGE_FUZZ)
FUZZ_SECONDS     ?= 60
FUZZ_CC          ?= clang

$(IMAGE_MODULE_OBJS) $(IMAGE_UNIT_TESTS:%=%.o) $(IMAGE_TEST_HELPERS:%.c=$(BUILD)/%.o): | $(PROTO_H)

$(IMAGE_UNIT_TESTS): %: %.o $(IMAGE_TEST_HELPERS:%.c=$(BUILD)/%.o) $(IMAGE_MODULE_OBJS) $(BUILD)/libimages.a
	$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c

# Compiled directly from the sources: everything that a fuzz target calls must be instrumented.
$(IMAGE_FUZZ): $(BUILD)/%: %.c $(IMAGE_TEST_HELPERS) $(IMAGE_MODULE_SRC) $(wildcard criu/image/*.h criu/util/*.h include/base/*.h) \
		$(IMAGE_TEST_HELPERS:%.c=%.h) $(PROTO_C) | $(PROTO_H)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) -O1 -g $(INCLUDE) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $(filter %.c,$^) -lprotobuf-c

image-check: $(IMAGE_UNIT_TESTS)
	@for t in $^; do $$t || exit 1; done

image-fuzz: $(IMAGE_FUZZ)
	@for t in $^; do mkdir -p $$t.corpus && $$t -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 \
		-verbosity=0 $$t.corpus || exit 1; done

.PHONY: image-check image-fuzz
