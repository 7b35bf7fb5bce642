# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of memory/: the vDSO at restore (code of the tool and of the blob, the latter compiled as ordinary code),
# and writing pages to a sink. Built separately (in test/vdso), so that nothing else has to compile.
VDSO_TEST_SRC   := $(wildcard test/unit/vdso_*.c test/unit/pages_*.c)
VDSO_UNIT_TESTS := $(VDSO_TEST_SRC:%.c=$(BUILD)/%)
VDSO_MODULE_SRC   := criu/memory/vdso.c criu/memory/vdso_elf.c criu/memory/$(ARCH)/vdso_code.c criu/pie/restorer/vdso.c \
	criu/memory/image_source.c criu/memory/page_view.c criu/memory/image_sink.c criu/memory/ordered_sink.c criu/memory/copy_pages.c criu/memory/shared_pages.c \
	criu/memory/kept_runs.c criu/memory/compress_sink.c criu/memory/codec.c criu/memory/block_reader.c criu/memory/bare_thread.c criu/memory/turns.c \
	criu/memory/scan_pages.c criu/memory/classify_pages.c criu/memory/same_pages.c criu/memory/same_hints.c criu/memory/lazy_rule.c criu/memory/group_limits.c criu/memory/direct_io.c criu/memory/track_soft_dirty.c criu/memory/track_areas.c \
	criu/run/stats.c test/unit/image_helper.c test/unit/memory_store_helper.c \
	$(wildcard criu/image/*.c criu/util/*.c criu/util/$(ARCH)/*.c) criu/kernel/maps.c criu/kernel/proc_pid.c criu/kernel/proc_stat.c criu/kernel/proc_status.c \
	criu/kernel/scan.c criu/kernel/pagemap_scan.c criu/kernel/shm.c
VDSO_MODULE_OBJS  := $(VDSO_MODULE_SRC:%.c=$(BUILD)/test/vdso/%.o)

$(BUILD)/test/vdso/%.o: %.c | $(PROTO_H)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# An archive: a test links what it needs and replaces the rest.
$(BUILD)/test/vdso/module.a: $(VDSO_MODULE_OBJS)
	@rm -f $@
	ar rcs $@ $^

$(VDSO_UNIT_TESTS): $(BUILD)/%: $(BUILD)/test/vdso/%.o $(BUILD)/test/vdso/module.a $(BUILD)/libcompel.a $(BUILD)/libimages.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c $(LIBCODECS)

vdso-check: $(VDSO_UNIT_TESTS)
	@for t in $^; do $$t || exit 1; done

.PHONY: vdso-check
