# SPDX-License-Identifier: GPL-2.0-only
# make check [K=name] [J=jobs] [AGAIN=n]: the whole suite, or the tests K. Up to n failures are rerun. The results, one
# line per case, are in $(BUILD)/results, so that two runs can be compared. make bench: times, as ratios.
J  ?= 2
K  ?=
AGAIN ?= 4
UNIT_TESTS := $(IMAGE_UNIT_TESTS) $(KERNEL_UNIT_TESTS) $(REQUEST_UNIT_TESTS) $(RUN_UNIT_TESTS) $(NET_UNIT_TESTS) $(LAZY_TEST) $(TRANSPORT_UNIT_TESTS) $(VDSO_UNIT_TESTS) $(ARCHIVE_UNIT_TESTS) $(LIB_UNIT_TESTS)

check: all tests
	test/run --build $(BUILD) -j $(J) --again $(AGAIN) --results $(BUILD)/results $(if $(WITHOUT),--without "$(WITHOUT)") $(K)

# Fault injection in every system call of a dump and a restore, in a debug build (CRIU_FAULT), which they create.
FAULT_TESTS := kill/faults kill/kind_faults kill/restore_faults
check-faults: all tests
	test/run --build $(BUILD) -j $(J) --again $(AGAIN) --results $(BUILD)/results.faults $(FAULT_TESTS)
check-without-faults:
	$(MAKE) --no-print-directory check WITHOUT="$(FAULT_TESTS)"

# The program built with sanitizers. Code that runs in a target is not instrumented, the rest is.
check-sanitizers:
	$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized SAN=1 OPT=-O1 all unit-tests kind-tests
	test/run --build $(BUILD)/sanitized -j $(J) --again $(AGAIN) --variants restored,refused unit/ kinds/

# Builds everything that `make check` runs. Fuzzers need clang (scripts/install-deps test).
tests: all kind-tests compel-tests unit-tests $(LIB_CLIENTS) $(if $(shell command -v clang),fuzz-targets)

unit-tests: $(UNIT_TESTS)
fuzz-targets: $(FUZZ_TARGETS)

.PHONY: check check-faults check-without-faults check-sanitizers tests unit-tests fuzz-targets
