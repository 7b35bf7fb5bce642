# SPDX-License-Identifier: GPL-2.0-only
# make bench [PARTS="sleep memory lazy ..."] [BENCH_DIR=dir]: all parts, or these (test/bench/run --help); medians,
# ratios to what this machine can do at best, and system calls and page faults per process, counted by perf
PARTS       ?=
BENCH_DIR   ?= /tmp
BENCH_TOOLS := $(BUILD)/test/bench/pieces $(BUILD)/test/bench/unix_pairs $(BUILD)/test/bench/limits
BENCH_TOOLS += $(BUILD)/test/bench/connections $(BUILD)/test/bench/container $(BUILD)/test/bench/dirty
$(BUILD)/test/bench/container: BENCH_LDFLAGS := -static

$(BENCH_TOOLS): $(BUILD)/test/bench/%: test/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O2 -g $(WARN) -pthread $(BENCH_LDFLAGS) -o $@ $<

bench: $(BUILD)/criu $(BENCH_TOOLS) $(BUILD)/test/kill/lazy
	test/bench/run --build $(BUILD) --dir $(BENCH_DIR) $(PARTS)

.PHONY: bench
