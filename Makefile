# Two commands: `make run` sends data to itself without copying and shows what happened, `make test`
# runs every test. Each finds out what is missing first.

SHELL := /bin/bash
SWIFT_FILES := Package.swift Sources Tests Benchmarks Examples Fuzz
# An ordinary user's tests share one small limit of locked memory: one after the other, they keep below it.
PARALLEL := $(if $(filter 0,$(shell id -u)),,--no-parallel)
EXAMPLES := FirstSteps Pipeline InAClass InATask Telemetry

.PHONY: run test test-kernels soak soak-buffers sanitize fuzz coverage mutants lint format bars cost bench clean prepare help

help:
	@echo 'make run [FILE=path]  send a file (or generated data) over loopback, by copying and by zero copy'
	@echo 'make test             build and run the examples, check the C target against musl, run all tests'
	@echo 'make test-kernels     run all tests on the kernels 6.1 and 6.12 too, in virtual machines'
	@echo 'make sanitize         run all tests under the address, leak and thread sanitizers'
	@echo 'make soak             random sends for minutes, every byte checked (SECONDS_IN_ALL=300 SEED=1)'
	@echo 'make soak-buffers     1,000,000 pooled buffers, and 10,000 abrupt ends (BUFFERS=, ENDS=, SEED=)'
	@echo 'make fuzz             fuzz the control-buffer parser and the ledger (FUZZ_SECONDS=60 each)'
	@echo 'make mutants          plant known faults, and see that the tests notice each'
	@echo 'make coverage         run all tests, and say which lines of the library none has reached'
	@echo 'make lint             check the format of all Swift files'
	@echo 'make format           mend it'
	@echo 'make bars             measure what a send costs, beside a plain C loop (strace, valgrind)'
	@echo 'make cost             measure what sending without copying costs, beside copying and plain C'
	@echo 'make bench            measure each size on each lane, and write a dated report with charts (ROUNDS=21)'
	@echo 'make clean            remove what was built'

prepare:
	@Scripts/prepare.sh

run: prepare
	@swift build -c release --product zerocopy
	@"$$(swift build -c release --show-bin-path)/zerocopy" demo $(if $(FILE),"$(FILE)")

# The tests come last, so that their summary is the last line.
test: prepare
	swift build --package-path Examples
	@for example in $(EXAMPLES); do \
	  echo "running the example $$example"; \
	  "$$(swift build --package-path Examples --show-bin-path)/$$example" || exit 1; \
	done
	@Scripts/check-musl.sh
	swift build --build-tests
	@Scripts/prove-misuse.sh
	@Scripts/test-lanes.sh
	@Scripts/test-limits.sh
	@BUFFERS=40000 ENDS=400 Scripts/soak-buffers.sh
	swift test --skip-build --disable-xctest $(PARALLEL)

soak: prepare
	swift build --build-tests
	@Scripts/soak.sh

soak-buffers: prepare
	swift build --build-tests
	@Scripts/soak-buffers.sh

mutants: prepare
	@Scripts/mutants.sh

sanitize: prepare
	Scripts/sanitize.sh

fuzz: prepare
	Scripts/fuzz.sh

coverage: prepare
	Scripts/coverage.sh
test-kernels: prepare
	swift build --build-tests
	@Scripts/test-kernels.sh

lint: prepare
	swift format lint --strict --recursive $(SWIFT_FILES)

format: prepare
	swift format format --in-place --recursive $(SWIFT_FILES)

bars: prepare
	swift build -c release --product zerocopy
	Scripts/bars.sh

cost: prepare
	swift build -c release --product zerocopy
	Scripts/cost.sh

bench: prepare
	swift build -c release --product zerocopy
	Scripts/bench.sh

clean:
	rm -rf .build Examples/.build Benchmarks/.build
