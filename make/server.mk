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
# The performance table; BENCH_SPANS=2000000 for another size. A minute or two; needs TEMPO_SHARED.
.PHONY: bench
bench:
	@scripts/install
	@TEMPO_SHARED='$(TEMPO_SHARED)' scripts/bench $(BENCH_SPANS)
