#!/usr/bin/env bash
# seed_regex.sh DIR: patterns and subjects of the unit test.
set -eu
dir=$1
n=0
while IFS= read -r line; do
	n=$((n + 1))
	printf '%b' "${line/\", \"/\\0}" >"$dir/seed-$n"
done < <(sed -nE 's/^\t\{("|)(([^"\\]|\\.)*", "([^"\\]|\\.)*)", (1|0|-1)\},$/\2/p' test/unit/test_traceql_lang.c)
