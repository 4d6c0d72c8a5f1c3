# tempo: PGXS build. `make demo` and `make test` need nothing installed by hand; see README.md.
.DEFAULT_GOAL := all
EXTENSION    = tempo
EXTVERSION   = 0.1
MODULE_big   = tempo
DATA_built   = tempo--$(EXTVERSION).sql

# Parts that build and test as plain C, without a server.
PURE_SRCS    = $(wildcard src/span/*.c src/codec/*.c src/net/*.c src/ingest/*.c src/store/image*.c src/traceql/lang/*.c src/traceql/eval/*.c src/traceql/tags/*.c src/trace/*.c src/traceql/metrics/*.c \
               src/api/json_write.c src/api/params.c src/api/trace_*.c src/api/search_*.c src/api/metrics_*.c)
# Everything else is server code. Generated lexer and parser are listed by their own rule.
SERVER_SRCS  = $(filter-out $(PURE_SRCS),$(wildcard src/*.c src/*/*.c src/*/*/*.c))
GEN_SRCS     = src/traceql/lang/grammar.tab.c src/traceql/lang/lexer.yy.c
OBJS         = $(patsubst %.c,%.o,$(filter-out $(GEN_SRCS),$(PURE_SRCS)) $(SERVER_SRCS) $(if $(wildcard src/traceql/lang/grammar.y),$(GEN_SRCS)))
SQL_PARTS    = $(sort $(wildcard src/sql/*.sql))

PG_CPPFLAGS  = -Isrc
PG_CFLAGS    = -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-cast-function-type -Wno-clobbered
# zstd, lz4: column compression. zlib: gzip bodies. libevent: socket loop and HTTP/1.1. nghttp2: HTTP/2 and
# gRPC framing. pcre2: regular expressions of TraceQL. Reasons for each: doc/libraries.md.
SHLIB_LINK   = -lzstd -llz4 -lz -levent -lnghttp2 -lpcre2-8
# Objects depend on the headers they include.
PG_CFLAGS   += -MMD -MP
EXTRA_CLEAN  = build/asan build/fuzz build/bench build/cov build/reference $(OBJS:.o=.d) tempo--$(EXTVERSION).sql $(GEN_SRCS) src/traceql/lang/grammar.tab.h src/traceql/lang/lexer.yy.h

# Real data for tests and benchmarks that ask for it; tests that need it skip without it.
TEMPO_SHARED ?= $(abspath ../shared)
# The newest PostgreSQL that has a server and PGXS.
PG_CONFIG   := $(or $(PG_CONFIG),$(shell scripts/find-pg-config))
# No bitcode: it needs clang and serves only inlining into other extensions.
override with_llvm = no
PGXS        := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)
else
all install:
	@echo 'no PostgreSQL server headers found; run "make deps", or give PG_CONFIG' >&2; exit 1
endif

# Loops over the values of columns: GCC vectorises them at -O3 only.
COLUMN_SRCS  = $(wildcard src/codec/*.c src/exec/*.c src/store/image*.c src/traceql/eval/*.c src/traceql/metrics/*.c)
$(COLUMN_SRCS:.c=.o): CFLAGS += -O3

-include $(OBJS:.o=.d)
include make/pure.mk
include make/server.mk
include make/bench.mk

tempo--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@

src/traceql/lang/grammar.tab.c: src/traceql/lang/grammar.y
	bison -Wno-yacc -d -o $@ $<
src/traceql/lang/lexer.yy.c: src/traceql/lang/lexer.l src/traceql/lang/grammar.tab.c
	flex -o $@ --header-file=src/traceql/lang/lexer.yy.h $<
