# The plain-C parts, without a server: unit tests under sanitizers, fuzz targets, benchmarks, coverage.
# One program per file: test/unit/test_*.c, test/fuzz/fuzz_*.c, test/bench/bench_*.c.

PURE_ALL    = $(filter-out $(GEN_SRCS),$(PURE_SRCS)) $(if $(wildcard src/traceql/lang/grammar.y),$(GEN_SRCS))
PURE_LIBS   = -lzstd -llz4 -lz -levent -lnghttp2 -lpcre2-8 -lprotobuf-c -lm
PURE_WARN   = $(filter -W%,$(PG_CFLAGS))
PURE_FLAGS  = -std=gnu11 -g -Isrc -Itest -Itest/unit -Ibuild/proto -D_GNU_SOURCE $(PURE_WARN) -Wdeclaration-after-statement -MMD -MP
SANITIZE    = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# In a variable, because a comma would end an argument of $(call).
SANITIZE_FUZZ = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CLANG      ?= $(firstword $(shell command -v clang clang-14 clang-19 2>/dev/null) clang)
FUZZ_SECONDS ?= 60
SAN_ENV     = ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1

# protobuf-c's decoder of the same messages, generated: the oracle the tests compare ours with.
PROTO_ROOTS = $(wildcard test/proto src/ingest/proto)
PROTOS      = $(if $(PROTO_ROOTS),$(shell find $(PROTO_ROOTS) -name '*.proto'))
PROTO_REL   = $(foreach r,$(PROTO_ROOTS),$(patsubst $(r)/%,%,$(filter $(r)/%,$(PROTOS))))
PROTO_SRCS  = $(PROTO_REL:%.proto=build/proto/%.pb-c.c)

build/proto/.stamp: $(PROTOS)
	mkdir -p build/proto
	$(if $(PROTOS),protoc-c $(PROTO_ROOTS:%=-I%) --c_out=build/proto $(PROTOS))
	touch $@
$(PROTO_SRCS): build/proto/.stamp

# $(call pure_build,DIR,COMPILER,FLAGS): objects of the plain-C parts under build/DIR, as one archive.
define pure_build
build/$(1)/%.o: %.c | build/proto/.stamp
	@mkdir -p $$(@D)
	$(2) $(3) $$(PURE_FLAGS) -c -o $$@ $$<
build/$(1)/%.pb-c.o: build/proto/%.pb-c.c
	@mkdir -p $$(@D)
	$(2) $(filter-out -W%,$(PURE_FLAGS)) $(3) -c -o $$@ $$<
build/$(1)/pure.a: $$(PURE_ALL:%.c=build/$(1)/%.o) $$(PROTO_REL:%.proto=build/$(1)/%.pb-c.o)
	rm -f $$@ && ar rcs $$@ $$^
-include $$(PURE_ALL:%.c=build/$(1)/%.d) $$(wildcard build/$(1)/test/*/*.d)
endef
$(eval $(call pure_build,asan,gcc,-O1 $(SANITIZE)))
$(eval $(call pure_build,fuzz,$(CLANG),-O1 -Wno-unknown-warning-option -Wno-unused-but-set-variable $(SANITIZE_FUZZ)))
$(eval $(call pure_build,bench,gcc,-O2))
$(eval $(call pure_build,cov,gcc,-O0 --coverage))
$(COLUMN_SRCS:%.c=build/bench/%.o): PURE_FLAGS += -O3
.PRECIOUS: build/asan/%.o build/fuzz/%.o build/bench/%.o build/cov/%.o
# The lexer includes the grammar's tokens, and the other way round.
$(foreach d,asan fuzz bench cov,$(PURE_ALL:%.c=build/$(d)/%.o)): | $(filter $(GEN_SRCS),$(PURE_ALL))

UNIT_TESTS  = $(sort $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c)))
FUZZERS     = $(sort $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c)))
BENCHES     = $(sort $(patsubst test/bench/%.c,%,$(wildcard test/bench/bench_*.c)))

build/asan/bin/%: build/asan/test/unit/%.o build/asan/pure.a
	@mkdir -p $(@D)
	gcc $(SANITIZE) -o $@ $^ $(PURE_LIBS)
build/cov/bin/%: build/cov/test/unit/%.o build/cov/pure.a
	@mkdir -p $(@D)
	gcc --coverage -o $@ $^ $(PURE_LIBS)
build/fuzz/bin/%: build/fuzz/test/fuzz/%.o build/fuzz/pure.a
	@mkdir -p $(@D)
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(PURE_LIBS)
# The reference evaluator alone, without what asks a server.
REFERENCE_EVALUATOR = $(filter-out %/ask.c %/http.c %_queries.c %/random_layout.c,$(wildcard test/reference/*.c))
build/asan/bin/test_reference: $(REFERENCE_EVALUATOR:%.c=build/asan/%.o)
build/cov/bin/test_reference: $(REFERENCE_EVALUATOR:%.c=build/cov/%.o)
# Programs that write seeds into the directory they are given: test/fuzz/seed_NAME.c for fuzz_NAME.
build/asan/bin/seed_%: build/asan/test/fuzz/seed_%.o build/asan/pure.a
	@mkdir -p $(@D)
	gcc $(SANITIZE) -o $@ $^ $(PURE_LIBS)
build/bench/bin/%: build/bench/test/bench/%.o build/bench/pure.a
	@mkdir -p $(@D)
	gcc -o $@ $^ $(PURE_LIBS)

.PHONY: check-unit fuzz fuzz-run fuzz-check bench-unit coverage format format-check
# All unit tests, or `make check-unit UNIT=test_codec`.
check-unit: $(addprefix build/asan/bin/,$(or $(UNIT),$(UNIT_TESTS)))
	@$(SAN_ENV) TEMPO_SHARED='$(TEMPO_SHARED)' scripts/run-tap --label='unit tests' --exec $^

fuzz: $(FUZZERS:%=build/fuzz/bin/%) $(patsubst test/fuzz/%.c,build/asan/bin/%,$(wildcard test/fuzz/seed_*.c))

# Each fuzz target for FUZZ_SECONDS from its seeds; `make fuzz-run FUZZ=fuzz_otlp` for one.
fuzz-run: fuzz
	@TEMPO_SHARED='$(TEMPO_SHARED)' scripts/run-fuzz $(FUZZ_SECONDS) $(or $(FUZZ),$(FUZZERS))

# As part of `make test`: from the seeds, and a few seconds more.
fuzz-check: fuzz
	@TEMPO_SHARED='$(TEMPO_SHARED)' scripts/run-fuzz 5 $(FUZZERS)

bench-unit: $(BENCHES:%=build/bench/bin/%)
	@for b in $(or $(BENCH:%=build/bench/bin/%),$^); do echo "== $$(basename $$b)"; TEMPO_SHARED='$(TEMPO_SHARED)' $$b || exit 1; done

# Lines of the plain-C parts that the unit tests run: a table, and HTML under build/coverage.
coverage: $(UNIT_TESTS:%=build/cov/bin/%) build/cov/pure.a
	@find build/cov -name '*.gcda' -delete
	@for t in $^; do TEMPO_SHARED='$(TEMPO_SHARED)' $$t >/dev/null || echo "$$t fails"; done
	lcov -q -c -d build/cov -o build/cov/all.info --no-external -b .
	lcov -q -e build/cov/all.info '$(CURDIR)/src/*' -o build/cov/src.info
	lcov --list build/cov/src.info
	genhtml -q -o build/coverage build/cov/src.info

C_FILES     = $(filter-out $(GEN_SRCS) $(GEN_SRCS:.c=.h),$(shell find src test -name '*.[ch]' -not -path '*/node_modules/*'))
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14 clang-format 2>/dev/null) clang-format)
format:
	$(CLANG_FORMAT) -i $(C_FILES)
format-check:
	$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
