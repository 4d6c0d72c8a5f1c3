#!/usr/bin/env bash
# Seeds of fuzz_net: requests over both protocols under each kind of answer.
set -eu
dir=$1
post='POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Scope-OrgID: a\r\n'
n=0
for options in '\x00' '\x04' '\x08' '\x14' '\x2c'; do
	n=$((n + 1))
	printf "$options"'\x00'"${post}"'Content-Length: 5\r\n\r\nhello' >"$dir/length$n"
	printf "$options"'\x03'"${post}"'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' >"$dir/chunked$n"
	printf "$options"'\x00GET /api/search?q=%%7B%%7D HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\nGET / HTTP/1.0\r\n\r\n' >"$dir/get$n"
done
{ printf '\x00\x00'"${post}"'Content-Encoding: gzip\r\nExpect: 100-continue\r\nContent-Length: 25\r\n\r\n'; printf hello | gzip -n; } >"$dir/gzip"
# HEADERS with :method POST, :scheme http, :path /x, :authority x; DATA; PING; RST_STREAM; WINDOW_UPDATE.
data='\x00\x00\x05\x00\x01\x00\x00\x00\x01hello'
n=0
for options in '\x03' '\x07' '\x0b' '\x17' '\x2f'; do
	n=$((n + 1))
	printf "$options"'\x00'"\x00\x00\x09\x01\x04\x00\x00\x00\x01\x83\x86\x04\x02/x\x01\x01x$data"'\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh' >"$dir/h2post$n"
	printf "$options"'\x02\x00\x00\x09\x01\x05\x00\x00\x00\x01\x82\x86\x04\x02/x\x01\x01x\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\xff\xff' >"$dir/h2get$n"
done
