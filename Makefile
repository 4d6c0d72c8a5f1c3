# tempo: PGXS build. `make demo` and `make test` need nothing installed by hand; see README.md.
EXTENSION    = tempo
EXTVERSION   = 0.1
MODULE_big   = tempo
DATA_built   = tempo--$(EXTVERSION).sql

# Parts that build and test as plain C, without a server.
PURE_SRCS    = $(wildcard src/span/*.c src/codec/*.c src/ingest/*.c src/store/image*.c src/traceql/lang/*.c)
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
EXTRA_CLEAN  = tempo--$(EXTVERSION).sql $(GEN_SRCS) src/traceql/lang/grammar.tab.h src/traceql/lang/lexer.yy.h

PG_CONFIG   ?= pg_config
with_llvm    = no
PGXS        := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)
endif

tempo--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@

src/traceql/lang/grammar.tab.c: src/traceql/lang/grammar.y
	bison -Wno-yacc -d -o $@ $<
src/traceql/lang/lexer.yy.c: src/traceql/lang/lexer.l src/traceql/lang/grammar.tab.c
	flex -o $@ --header-file=src/traceql/lang/lexer.yy.h $<
