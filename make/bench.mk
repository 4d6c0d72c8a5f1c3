# The performance table, beside a heap and ClickHouse: scripts/bench says what can be set, doc/benchmarks.md how to
# read it.

BENCH_GEN = $(patsubst %.c,build/bench/%.o,$(wildcard test/bench/gen/*.c))
build/bench/bin/workload: $(BENCH_GEN)
	@mkdir -p $(@D)
	gcc -o $@ $^ -lm
build/bench/bin/send: build/bench/test/bench/send.o
	@mkdir -p $(@D)
	gcc -o $@ $^ -levent
-include $(BENCH_GEN:.o=.d)

.PHONY: bench
bench:
	@scripts/deps test
	@$(MAKE) -s --no-print-directory build/bench/bin/workload build/bench/bin/send
	@scripts/install
	@BENCH_SPANS='$(BENCH_SPANS)' BENCH_VARIANT='$(BENCH_VARIANT)' BENCH_PARTITIONS='$(BENCH_PARTITIONS)' \
		BENCH_SYSTEMS='$(BENCH_SYSTEMS)' scripts/bench
