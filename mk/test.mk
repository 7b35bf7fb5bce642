# SPDX-License-Identifier: GPL-2.0-only
# make check [K=name] [J=jobs] [AGAIN=n]: the whole suite, or what K names. Up to n failures are looked at twice. A line
# for each case is left in $(BUILD)/results, so that two runs can be compared.  make bench: times, as ratios.
J  ?= 2
K  ?=
AGAIN ?= 4
UNIT_TESTS := $(IMAGE_UNIT_TESTS) $(KERNEL_UNIT_TESTS) $(REQUEST_UNIT_TESTS) $(RUN_UNIT_TESTS) $(VDSO_UNIT_TESTS)

check: all tests
	test/run --build $(BUILD) -j $(J) --again $(AGAIN) --results $(BUILD)/results $(if $(WITHOUT),--without "$(WITHOUT)") $(K)

# Those that have every system call of a dump and a restore fail, in a debug build (CRIU_FAULT), which they make.
FAULT_TESTS := kill/faults kill/kind_faults kill/restore_faults
check-faults: all tests
	test/run --build $(BUILD) -j $(J) --again $(AGAIN) --results $(BUILD)/results.faults $(FAULT_TESTS)
check-without-faults:
	$(MAKE) --no-print-directory check WITHOUT="$(FAULT_TESTS)"

# The program built with sanitizers. What it injects into a target is not instrumented, what runs outside of targets is.
check-sanitizers:
	$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized SAN=1 OPT=-O1 all unit-tests kind-tests
	test/run --build $(BUILD)/sanitized -j $(J) --again $(AGAIN) --variants restored,refused unit/ kinds/

# Everything that `make check` runs, built only. Fuzzers need clang (scripts/install-deps test).
tests: all kind-tests compel-tests unit-tests $(if $(shell command -v clang),fuzz-targets)

unit-tests: $(UNIT_TESTS)
fuzz-targets: $(FUZZ_TARGETS)

.PHONY: check check-faults check-without-faults check-sanitizers tests unit-tests fuzz-targets
