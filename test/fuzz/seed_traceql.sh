#!/usr/bin/env bash
# seed_traceql.sh DIR: one file a query: those of the unit test, and the shared ones where they are.
set -eu
dir=$1
n=0
emit() {
	n=$((n + 1))
	printf '%s' "$1" >"$dir/seed-$n"
}
while IFS= read -r line; do
	emit "$(printf '%b' "$line")"
done < <(sed -nE 's/^\t\{"(([^"\\]|\\.)*)", *(VALID|PARSE|INVALID|UNSUPPORTED|".*)\},?$/\1/p' test/unit/test_traceql_lang.c |
	sed 's/\\"/"/g')
queries=${TEMPO_SHARED:-../shared}/conformance/queries.json
if [ -f "$queries" ]; then
	while IFS= read -r line; do
		emit "$line"
	done < <(sed -nE 's/^"q": "(.*)",?$/\1/p' "$queries" | sed 's/\\"/"/g; s/\\\\/\\/g')
fi
