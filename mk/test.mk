# SPDX-License-Identifier: GPL-2.0-only
# make check [K=name] [J=jobs] [AGAIN=n]: the whole suite, or what K names. Up to n failures are looked at twice.  make bench: times, as ratios.
J  ?= 2
K  ?=
AGAIN ?= 4
UNIT_TESTS := $(IMAGE_UNIT_TESTS) $(KERNEL_UNIT_TESTS) $(VDSO_UNIT_TESTS)

check: all tests
	SHARED_DIR=$(SHARED_DIR) test/run --build $(BUILD) -j $(J) --again $(AGAIN) $(K)

# Everything that `make check` runs, built only. Fuzzers need clang (scripts/install-deps test).
tests: all kind-tests compel-tests unit-tests $(if $(shell command -v clang),fuzz-targets)

unit-tests: $(UNIT_TESTS)
fuzz-targets: $(FUZZ_TARGETS)

.PHONY: tests unit-tests fuzz-targets
