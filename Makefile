# SPDX-License-Identifier: MIT
#
# The front door.  `make help` prints every target with its line.
#
# Everything that is made goes into .venv and build/; what the system lacks is named,
# and installed when we are root, by tools/prepare.

PYTHON  ?= python3#      the interpreter that memwhy is built for, 3.11 or newer
VENV    ?= .venv#        where it is installed
BUILD   ?= build#        where it is built
RESULTS ?= build/results#  what each suite of tests found, for tools/summarise
NAME    ?= here#         the interpreter's name among the results
WERROR  ?= false#        `true` makes every warning an error
TESTS   ?= tests/python# what `make test-python` runs
TIMEOUT ?= 15m#          and how long it may take: a hang is a failure

# The interpreter behind PYTHON, looked through a virtual environment or a shim to the
# real one; empty when there is none.
base := $(shell $(PYTHON) -c 'import sys; print(sys._base_executable)' 2>/dev/null)
tag  := $(shell $(PYTHON) -c 'import sys, zlib; print("%s-%08x" % (sys.version.split()[0], \
          zlib.crc32(sys._base_executable.encode())))' 2>/dev/null)

prepare := PYTHON="$(or $(base),$(PYTHON))" tools/prepare
python  := $(VENV)/bin/python
export NINJA := $(abspath $(VENV))/bin/ninja

# Ninja would take MAKEFLAGS for an offer to share jobs, which make makes only to makes.
alone   := env -u MAKEFLAGS
meson   := $(alone) $(VENV)/bin/meson

# A change of the interpreter changes the stamps' names, and so makes all anew.
environment := $(VENV)/made-for-$(tag)
installed   := $(VENV)/memwhy-for-$(tag)-werror-$(WERROR)
sources     := $(shell find meson.build meson_options.txt pyproject.toml README.md \
                 include src python web tools/page -type f -not -name '*.pyc' \
                 -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
c_sources    = $(shell find include src tests -name '*.[ch]' 2>/dev/null)

comma := ,

# $(call configured,DIRECTORY,OPTIONS): a meson build directory, set up once; it is heard
# only when it fails.
configured = [ -e $(1)/build.ninja ] || { \
    mkdir -p $(1); $(meson) setup $(1) -Dwerror=$(WERROR) $(2) >$(1)/setup.log 2>&1 || \
    { cat $(1)/setup.log; exit 1; }; }

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: help build page demo demo-leaks test test-unit test-unit-clang test-page test-python test-all asan ubsan tsan \
        valgrind torture fuzz leaks leaks-here cpython-suite bench bench-captures bench-objects bench-quick bench-pyperformance performance-page lint lint-layers lint-style lint-layout \
        lint-spelling lint-page compile-gcc compile-clang tidy format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make build PYTHON=python3.12 chooses the interpreter (now: $(or $(base),none))."

# ── building ─────────────────────────────────────────────────────────────────────────

build: $(installed) ## memwhy in .venv: .venv/bin/python has it, .venv/bin/memwhy is the command

# In a fresh system all that the goal needs is named at once, not piece by piece.
NEEDS := compiler libraries python
test asan: NEEDS := compiler libraries python cmocka python-tests
test-all: NEEDS := compiler libraries python cmocka clang python-tests
lint: NEEDS := compiler libraries python cmocka clang clang-format

$(environment): tools/requirements.txt tools/requirements-suites.txt
	@$(prepare) $(NEEDS)
	@[ -n "$(base)" ] || { echo "python3 is there now: run make again"; exit 1; }
	@echo "making $(VENV) with $(base)" >&2
	@rm -rf $(VENV)
	@$(base) -m venv $(VENV)
	@$(python) -m pip install --quiet --disable-pip-version-check -r $<
	@# What tests want of other projects' sources; without it these tests are skipped.
	@$(python) -m pip download --quiet --disable-pip-version-check --no-deps --no-binary objgraph \
	    --dest $(VENV)/suites -r tools/requirements-suites.txt || \
	    echo "make: no sources of objgraph, so its test-suite is not run" >&2
	@touch $@

# --no-build-isolation and a lasting build directory: what did not change is not compiled.
$(installed): $(environment) $(sources)
	@$(prepare) compiler libraries python
	@tools/page || true
	@echo "building memwhy into $(VENV)" >&2
	@PATH="$(abspath $(VENV))/bin:$$PATH" $(alone) $(python) -m pip install --quiet \
	    --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall \
	    --config-settings=build-dir=$(BUILD)/wheel-$(tag) \
	    --config-settings=setup-args=-Dwerror=$(WERROR) .
	@rm -f $(VENV)/memwhy-for-*
	@touch $@

# It goes into the command with the next build; that makes it, too, if node is there.
page: ## the page of HTML reports, web/dist/page.html (needs node and npm)
	@$(prepare) node
	@tools/page --again

demo: build ## a real, leaking service, and the lines that its memory came from
	@examples/leaky_service/demo $(VENV)/bin/memwhy

demo-leaks: build ## the same over two minutes: which of its lines leak, and who holds what they made
	@examples/leaky_service/watch $(VENV)/bin/memwhy

# ── testing ──────────────────────────────────────────────────────────────────────────
#
# Each suite leaves its result in RESULTS.  It begins by leaving an empty one, so that a
# suite that does not build, or dies, is counted as failed and not forgotten.

test: test-unit test-python ## the C unit tests, and the Python tests on this interpreter

# $(call unit_tests,NAME,OPTIONS,ARGUMENTS): builds the unit tests in build/NAME with meson's
# OPTIONS and runs them with meson test's ARGUMENTS.
unit_tests = mkdir -p $(RESULTS); : >$(RESULTS)/$(1).json; \
    rm -f $(BUILD)/$(1)/meson-logs/testlog*.json; \
    $(call configured,$(BUILD)/$(1),-Dpython=false -Dtests=true $(2)) && \
    $(meson) test -C $(BUILD)/$(1) --print-errorlogs $(3); status=$$?; \
    cp $(BUILD)/$(1)/meson-logs/testlog*.json $(RESULTS)/$(1).json || status=1; exit $$status

test-unit: $(environment)
	@$(prepare) libraries cmocka
	@$(call unit_tests,unit)

test-unit-clang: $(environment)
	@$(prepare) libraries cmocka clang
	@export CC=clang; $(call unit_tests,unit-clang)

test-python: build
	@$(prepare) python-tests
	@mkdir -p $(RESULTS)
	timeout --signal=ABRT $(TIMEOUT) \
	    $(python) -m pytest $(TESTS) -q --junit-xml=$(RESULTS)/python-$(NAME).xml

# Once, not on each interpreter: pages are written by a C program and opened in a browser.
test-page: $(environment) ## the page of HTML reports in headless Chromium, where there is one
	@mkdir -p $(RESULTS); : >$(RESULTS)/page.xml
	@$(prepare) libraries cmocka
	@$(call configured,$(BUILD)/page,-Dpython=false -Dtests=true)
	@$(alone) $(NINJA) -C $(BUILD)/page --quiet make_page
	MEMWHY_MAKE_PAGE=$(abspath $(BUILD))/page/make_page timeout --signal=ABRT $(TIMEOUT) \
	    $(python) -m pytest -c tests/page/pytest.ini tests/page -q --junit-xml=$(RESULTS)/page.xml

# MEMWHY_TEST_SLOW=1 (or all) adds CPython's own suites, each run traced and untraced.
test-all: test-unit test-unit-clang test-page ## the same on every interpreter that tools/pythons finds
	@tools/pythons make-sid
	@tools/pythons list
	+@$(MAKE) --no-print-directory --keep-going $$(tools/pythons names | sed s/^/test-on-/)

test-on-%:
	@mkdir -p $(RESULTS); : >$(RESULTS)/python-$*.xml
	+@tools/pythons run $* sh -c '$(MAKE) --no-print-directory test-python NAME=$* WERROR=true \
	    PYTHON="$$PYTHON" VENV=$(BUILD)/$*/venv BUILD=$(BUILD)/$* RESULTS=$(RESULTS)'

# Each file is three processes; what its options are, its --help says.
cpython-suite: build ## CPython's own tests untraced, traced and sampled (hours); SUITE='test_gc test_io'
	nice -n 19 $(python) tests/programs/cpython_three_ways.py $(SUITE)

cpython-suite-on-%:
	+@tools/pythons run $* sh -c '$(MAKE) --no-print-directory cpython-suite SUITE="$(SUITE)" \
	    PYTHON="$$PYTHON" VENV=$(BUILD)/$*/venv BUILD=$(BUILD)/$*'

# ── looking harder ───────────────────────────────────────────────────────────────────

# $(call sanitized,NAME,SANITIZER): the unit tests under a sanitizer.
sanitized = $(call unit_tests,$(1),-Db_sanitize=$(2) -Db_lundef=false,--timeout-multiplier 10)

# An absurd request gets NULL, as from libc: some tests make one.
export ASAN_OPTIONS  ?= allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1
export TSAN_OPTIONS  ?= allocator_may_return_null=1:halt_on_error=1
export UBSAN_OPTIONS ?= halt_on_error=1:print_stacktrace=1

asan: build ## the unit tests under AddressSanitizer, then the extension under it
	@$(prepare) libraries cmocka python-tests
	@$(call sanitized,asan,address)
	@$(call configured,$(BUILD)/asan-python,-Db_sanitize=address -Db_lundef=false \
	    --prefix=/ -Dpython.purelibdir=/site -Dpython.platlibdir=/site)
	$(meson) install -C $(BUILD)/asan-python --quiet --destdir=$(abspath $(BUILD))/asan-python/root
	@# The interpreter keeps memory on purpose until it ends: no leak check here.
	LD_PRELOAD=$$(cc -print-file-name=libasan.so) ASAN_OPTIONS=$(ASAN_OPTIONS):detect_leaks=0 \
	    PYTHONPATH=$(abspath $(BUILD))/asan-python/root/site \
	    $(python) -m pytest $(TESTS) -q -m 'not no_sanitizer'

ubsan: $(environment) ## the unit tests under UndefinedBehaviorSanitizer
	@$(prepare) libraries cmocka
	@$(call sanitized,ubsan,undefined)

tsan: $(environment) ## the unit tests under ThreadSanitizer
	@$(prepare) libraries cmocka
	@$(call sanitized,tsan,thread)

valgrind: $(environment) ## the unit tests under valgrind
	@$(prepare) libraries cmocka valgrind
	@$(call unit_tests,valgrind,,--timeout-multiplier 20 \
	    --wrap='valgrind --quiet --error-exitcode=9 --leak-check=full \
	        --suppressions=$(CURDIR)/tools/valgrind.supp')

# The sweeps are the tests that are named for it.
sweeps = $(basename $(notdir $(shell grep -l whichever_allocation_fails tests/unit/*_test.c)))

torture: $(environment) ## every allocation fails in turn, under AddressSanitizer
	@$(prepare) libraries cmocka
	@$(call unit_tests,torture,-Db_sanitize=address -Db_lundef=false,$(or $(sweeps),none))

# What it finds is kept in build/fuzz-T, and belongs into tests/fuzz/corpus, where each later
# test sees it.
fuzz: T ?= capture
fuzz: TIME ?= 600
fuzz: $(environment) ## libFuzzer on T=capture for TIME=600 seconds, with sanitizers
	@$(prepare) libraries clang
	@export CC=clang; $(call configured,$(BUILD)/fuzz,-Dpython=false -Dfuzz=true \
	    -Db_sanitize=address$(comma)undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link)
	$(alone) $(NINJA) -C $(BUILD)/fuzz --quiet $(T)_fuzz
	@mkdir -p $(BUILD)/fuzz-$(T)
	nice -n 19 $(BUILD)/fuzz/$(T)_fuzz -max_total_time=$(TIME) -max_len=20000 -timeout=10 \
	    -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz-$(T)/ \
	    $(BUILD)/fuzz-$(T) tests/fuzz/corpus/$(T)

# References are counted only by a debug build of Python: Debian has one.
leaks: ## the Python tests repeated on a debug build, with references and memory compared
	@$(prepare) python-debug
	@$(MAKE) --no-print-directory leaks-here PYTHON=/usr/bin/python3-dbg \
	    VENV=$(BUILD)/leaks/venv BUILD=$(BUILD)/leaks

# Without glibc's caches of freed blocks, its count of bytes in use is exact.
leaks-here: build
	GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0 \
	    $(python) tools/leaks.py $(TESTS)

# ── measuring ────────────────────────────────────────────────────────────────────────
#
# Other tracers to compare with, from PyPI: each that can be had.
bench_tools := $(VENV)/bench-tools-for-$(tag)
$(bench_tools): bench/requirements.txt $(environment)
	@for tool in $$(grep -v '^\#' $<); do \
	    $(python) -m pip install --quiet --disable-pip-version-check --only-binary :all: "$$tool" || \
	        echo "bench: no $$tool here, its figures are left out" >&2; \
	done
	@touch $@

# The same code with line numbers, so that instructions can be told by source file.
bench_lines := $(BUILD)/bench/lines-$(tag)
$(bench_lines)/built: $(installed)
	@rm -rf $(bench_lines)
	@PATH="$(abspath $(VENV))/bin:$$PATH" $(alone) $(python) -m pip install --quiet \
	    --disable-pip-version-check --no-build-isolation --no-deps --target=$(bench_lines) \
	    --config-settings=build-dir=$(BUILD)/wheel-lines-$(tag) \
	    --config-settings=setup-args=-Ddebug=true .
	@touch $@

# What makes and reads a large capture; assertions are off, as in the wheel.
bench_captures := $(BUILD)/bench/captures
$(bench_captures)/capture_bench: $(environment) $(sources) bench/capture_bench.c
	@$(call configured,$(bench_captures),-Dpython=false -Dtests=true -Dbuildtype=release)
	@$(NINJA) -C $(bench_captures) capture_bench >/dev/null

bench-captures: build $(bench_tools) $(bench_captures)/capture_bench ## captures and reports, beside memray's
	$(python) bench/run.py --parts captures --captures=$(bench_captures)/capture_bench $(BENCH)
	$(python) bench/page.py

bench-objects: build $(bench_tools) ## looks at every object, beside objgraph's and others'
	$(python) bench/run.py --parts objects $(BENCH)
	$(python) bench/page.py

bench: build $(bench_tools) $(bench_lines)/built ## all measurements but pyperformance's, and docs/performance.md (half an hour)
	$(python) bench/run.py --lines=$(bench_lines) $(BENCH)
	$(python) bench/page.py

bench-quick: build ## a tenth of the same, in three minutes; BENCH='--only json,tree'
	$(python) bench/run.py --quick $(BENCH)

bench-pyperformance: build $(bench_tools) ## pyperformance's benchmarks, traced and untraced (half an hour)
	$(python) bench/run.py --parts pyperformance $(BENCH)
	$(python) bench/page.py

performance-page: build ## the figures of bench/results into docs/performance.md
	$(python) bench/page.py

# GOAL=bench-pyperformance or bench-quick is another goal on that interpreter.
bench-on-%: GOAL ?= bench
bench-on-%:
	+@MEMWHY_COMMIT=$$(git rev-parse --short=12 HEAD) \
	    tools/pythons run $* sh -c '$(MAKE) --no-print-directory $(GOAL) BENCH="$(BENCH)" \
	    PYTHON="$$PYTHON" VENV=$(BUILD)/$*/venv BUILD=$(BUILD)/$*'

# ── reading ──────────────────────────────────────────────────────────────────────────

lint: lint-layers lint-style lint-layout lint-spelling lint-page compile-gcc compile-clang ## layers, our own C rules, layout, spelling; gcc and clang with -Werror

lint-layers:
	tools/check_layers.py

lint-style:
	tools/check_style.py

lint-layout:
	@$(prepare) clang-format
	clang-format --dry-run -Werror $(c_sources)

lint-spelling: $(environment)
	$(VENV)/bin/codespell

# Types are checked where the page was built, and with it the compiler installed.
lint-page:
	@if tools/page; then cd web && npm run --silent check; fi

compile-gcc compile-clang: compile-%: $(environment)
	@$(prepare) libraries cmocka $(filter clang,$*)
	@export CC=$*; $(call configured,$(BUILD)/lint-$*,-Dpython=true -Dtests=true -Dwerror=true)
	$(alone) $(NINJA) -C $(BUILD)/lint-$* --quiet

tidy: compile-clang ## clang-tidy's few checks, each with its reason in .clang-tidy
	@$(prepare) clang-tidy
	clang-tidy --quiet -p $(BUILD)/lint-clang $(filter src/%.c,$(c_sources))

format: ## lay out all C as .clang-format says
	@$(prepare) clang-format
	clang-format -i $(c_sources)

clean: ## remove .venv, build/ and the built page (the Debian sid root is kept: see tools/pythons)
	rm -rf $(VENV) $(BUILD) web/dist web/node_modules
