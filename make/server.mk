# Tests that need a server, the private cluster, and the two commands of a newcomer.

.PHONY: deps up down status demo test installcheck check-pgtap check-tap prove
deps:
	@scripts/deps test
# The private cluster under build/; ports and names: doc/operations.md.
up:
	@echo '== packages: what building and running need and is missing'
	@scripts/deps build
	@echo '== building, and installing the extension into PostgreSQL'
	@scripts/install
	@echo '== a private cluster, apart from any other'
	@scripts/cluster up
down:
	@scripts/cluster down
status:
	@scripts/cluster status
demo: up
	@scripts/demo
# Everything but the long runs; installs what it needs.
test:
	@scripts/deps test
	+@scripts/test
# One runner alone: `make installcheck SQL=types`, `make prove PROVE_TESTS=test/t/040_sdk.pl`.
installcheck:
	@scripts/install
	@scripts/check-sql $(SQL)
check-pgtap:
	@scripts/install
	@scripts/check-pgtap $(PGTAP_TESTS)
prove check-tap:
	@scripts/install
	@TEMPO_SHARED='$(TEMPO_SHARED)' scripts/check-tap $(PROVE_TESTS)
# The reference evaluator of TraceQL, and the programs that compare the server with it.
REFERENCE_OBJS = $(patsubst %.c,build/reference/%.o,$(wildcard test/reference/*.c))
REFERENCE_PROGRAMS = random_queries given_queries
REFERENCE_PARTS = $(filter-out $(REFERENCE_PROGRAMS:%=build/reference/test/reference/%.o),$(REFERENCE_OBJS))
.PHONY: reference random-queries
reference: $(REFERENCE_PROGRAMS:%=build/reference/%)
build/reference/%.o: %.c
	@mkdir -p $(@D)
	gcc $(PURE_FLAGS) -O2 -I$(shell $(PG_CONFIG) --includedir) -c -o $@ $<
$(REFERENCE_PROGRAMS:%=build/reference/%): build/reference/%: build/reference/test/reference/%.o $(REFERENCE_PARTS)
	gcc -o $@ $^ -L$(shell $(PG_CONFIG) --libdir) -lpq -lpcre2-8 -lm
-include $(REFERENCE_OBJS:.o=.d)
# `make random-queries RANDOM_QUERIES=100000 RANDOM_SEED=7`: a long comparison.
random-queries:
	@scripts/install
	@RANDOM_QUERIES=$(or $(RANDOM_QUERIES),100000) RANDOM_SEED=$(or $(RANDOM_SEED),2) TEMPO_VERBOSE=1 scripts/check-tap test/t/052_random_queries.pl
# The long run: SOAK_MINUTES=120 at SOAK_RATE=3000 spans a second, with kills, a standby, retention; doc/operations.md.
.PHONY: soak
soak: reference
	@scripts/install
	@scripts/soak
