# SPDX-License-Identifier: GPL-2.0-only
# make lint      format, layers, style, unused code, words, cycles of files, portability, blobs, cppcheck; each part can be run alone: make lint-layers
# make format    format the sources as lint expects
LINT_C     = $(shell git ls-files '*.c' '*.h' ':!test/compat/criu-4.2' 2>/dev/null)
LINT_PARTS := format layers style unused words cycles portable pie cppcheck

lint: $(LINT_PARTS:%=lint-%)

lint-parts:
	@echo $(LINT_PARTS)

lint-format:
	clang-format --dry-run -Werror $(LINT_C)

lint-layers:
	scripts/check_layers

lint-style:
	scripts/check_style

lint-unused:
	scripts/check_unused

# Forbidden words: scripts/words_forbidden.
lint-words:
	scripts/check_words

# From includes and from the symbols of a build.
lint-cycles: all
	scripts/check_cycles $(BUILD)

# With the compiler of another CPU; skipped if there is none.
lint-portable: $(PROTO_H) $(BLOB_HDRS) $(COMPEL_EXAMPLES)
	scripts/check_portable $(BUILD)

lint-pie:
ifneq ($(wildcard scripts/check_pie),)
	$(MAKE) --no-print-directory $(BLOB_HDRS) BUILD=$(BUILD)
	RELOCATIONS='$(PIE_RELOCATIONS)' FPU_OPERAND='$(PIE_FPU_OPERAND)' scripts/check_pie $(BLOBS:%=$(BUILD)/pie/%.blob.o)
else
	@echo "lint-pie: no scripts/check_pie yet"
endif

# One configuration per file, with the flags of a normal build. False positives are suppressed in place with
# `// cppcheck-suppress NAME`. It does not support attribute cleanup (leaks are left to the sanitizers), and does not know
# that linker symbols delimit a section.
lint-cppcheck:
	scripts/check_cppcheck $(BUILD)/cppcheck -j2 --inline-suppr --max-configs=1 \
		--enable=warning,portability --std=c11 $(CPPCHECK_ARCH) -D_GNU_SOURCE \
		--suppress=memleak --suppress=resourceLeak --suppress=subtractPointers --suppress=comparePointers \
		--suppress=missingInclude --suppress=unknownMacro --suppress=internalAstError --suppress=preprocessorErrorDirective \
		$(PIE_INCLUDE) $(filter criu/%.c compel/%.c lib/%.c,$(LINT_C))

format:
	clang-format -i $(LINT_C)

.PHONY: format $(LINT_PARTS:%=lint-%)
