#!/usr/bin/env python3
"""hostile.py HTTP-PORT GRPC-PORT QUERY-PORT SEED RECEIVER-PID...

Everything a bad client may send, to the receivers and the query server, with a well-behaved client beside it.
Prints "key value" lines: how often each attack ran, what the well-behaved client saw (sent, stored as far as it
knows, slowest answer in ms), answers nobody should give, and the most private memory of the receivers in MB.
"""
import concurrent.futures
import gzip
import http.client
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

from sender import attribute, field, request, varint

HTTP, GRPC, QUERY = (int(v) for v in sys.argv[1:4])
SEED, RECEIVERS = sys.argv[4], sys.argv[5:]
START = 1700006400 * 10**9
odd = []


# ---- valid requests to spoil ----

def value(content):
    return field(2, content)


def any_array(members):
    return field(5, b''.join(field(1, m) for m in members))


def rich_span(n):
    attributes = [attribute('text', 'grüße'), attribute('number', n), field(1, b'double') + value(b'\x21' + struct.pack('<d', 0.5)),
                  field(1, b'bool') + value(b'\x10\x01'), field(1, b'bytes') + value(field(7, b'\0\xff')), field(1, b'empty') + value(b''),
                  field(1, b'list') + value(any_array([b'\x18\x01', field(1, b'x')])),
                  field(1, b'map') + value(field(6, field(1, attribute('k', 1))))]
    event = b'\x09' + struct.pack('<Q', START + 5) + field(2, b'event') + field(3, attribute('e', 'v')) + b'\x20\x01'
    link = field(1, b'L' * 16) + field(2, b'l' * 8) + field(3, b'a=b') + field(4, attribute('l', 1)) + b'\x35\x01\x00\x00\x00'
    return (field(1, b'hostile span id!') + field(2, struct.pack('>Q', n + 1)) + field(3, b's=t') + field(4, struct.pack('>Q', n)) +
            field(5, b'rich') + b'\x30\x02' + b'\x39' + struct.pack('<Q', START) + b'\x41' + struct.pack('<Q', START + 1000) +
            b''.join(field(9, a) for a in attributes) + b'\x50\x01' + field(11, event) + field(13, link) + field(15, field(2, b'bad') + b'\x18\x02') +
            b'\x85\x01\x01\x00\x00\x00')


def rich_request(spans):
    scope = field(1, b'scope') + field(2, b'1') + field(3, attribute('s', 1))
    body = field(1, scope) + b''.join(field(2, rich_span(n)) for n in range(spans)) + field(3, b'http://schema')
    return field(1, field(1, field(1, attribute('service.name', 'hostile')) + b'\x10\x03') + field(2, body) + field(3, b'http://schema'))


RICH = rich_request(4)
RICH_JSON = json.dumps({'resourceSpans': [{'resource': {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'hostile'}}]},
    'scopeSpans': [{'scope': {'name': 'scope'}, 'spans': [
        {'traceId': '5b8efff798038103d269b633813fc60c', 'spanId': 'eee19b7ec3c1b174', 'parentSpanId': 'eee19b7ec3c1b173', 'name': 'j\u00e9\ud83d\ude00',
         'kind': 'SPAN_KIND_SERVER', 'startTimeUnixNano': str(START), 'endTimeUnixNano': START + 10, 'flags': 1,
         'attributes': [{'key': 'd', 'value': {'doubleValue': 1.5e-3}}, {'key': 'a', 'value': {'arrayValue': {'values': [{'intValue': '7'}]}}},
                        {'key': 'm', 'value': {'kvlistValue': {'values': [{'key': 'x', 'value': {'bytesValue': 'AAE='}}]}}}],
         'events': [{'timeUnixNano': str(START), 'name': 'e'}], 'links': [{'traceId': '5b8efff798038103d269b633813fc60c', 'spanId': 'eee19b7ec3c1b174'}],
         'status': {'code': 2, 'message': 'm'}}]}]}]}).encode()


def spoil(rnd, data):
    """Bits flipped, bytes changed, pieces cut, doubled or swapped for lengths that are too large."""
    data = bytearray(data)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        at = rnd.randrange(len(data))
        how = rnd.randrange(6)
        if how == 0:
            data[at] ^= 1 << rnd.randrange(8)
        elif how == 1:
            data[at] = rnd.choice((0, 0x7f, 0x80, 0xff, rnd.randrange(256)))
        elif how == 2:
            del data[at:]
        elif how == 3:
            del data[at:at + rnd.randrange(1, 20)]
        elif how == 4:
            data[at:at] = data[at:at + rnd.randrange(1, 200)]
        else:
            data[at:at] = rnd.choice((b'\xff' * 9 + b'\x01', b'\xff\xff\xff\xff\x0f', b'\xff\xff\xff\xff\x07', b'\x80' * 12, b'\0'))
    return bytes(data)


# ---- attacks: each takes its own random numbers ----

def connect(port, timeout=10):
    s = socket.create_connection(('127.0.0.1', port), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def throw(port, data, wait):
    """Sends bytes and, some of the time, waits a little for what comes back; then goes, sometimes with a reset."""
    with connect(port) as s:
        try:
            s.sendall(data)
            if wait is not None:
                s.settimeout(wait)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            else:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        except OSError:
            pass


def maybe(rnd):
    return rnd.choice((None, None, 0.05))


def random_bytes(rnd):
    throw(rnd.choice((HTTP, GRPC, QUERY)), rnd.randbytes(rnd.choice((1, 9, 24, 100, 5000, 70000))), maybe(rnd))


def post(port, path, body, headers, want, timeout=30):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        c.request('POST', path, body, headers)
        status = c.getresponse().status
        if status not in want:
            odd.append('%s %s: %d' % (path, headers, status))
        return status
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        c.close()


SPOILED = (200, 400, 429)


def spoiled_protobuf(rnd):
    c = http.client.HTTPConnection('127.0.0.1', HTTP, timeout=30)
    for _ in range(10):
        c.request('POST', '/v1/traces', spoil(rnd, RICH), {'Content-Type': 'application/x-protobuf'})
        answer = c.getresponse()
        body = answer.read()
        if answer.status not in SPOILED or answer.status == 400 and len(body) < 8:
            odd.append('spoiled protobuf: %d %r' % (answer.status, body[:100]))
    c.close()


def spoiled_json(rnd):
    c = http.client.HTTPConnection('127.0.0.1', HTTP, timeout=30)
    for _ in range(10):
        c.request('POST', '/v1/traces', spoil(rnd, RICH_JSON), {'Content-Type': 'application/json'})
        answer = c.getresponse()
        body = answer.read()
        if answer.status not in SPOILED or answer.status == 400 and len(body) < 8:
            odd.append('spoiled JSON: %d %r' % (answer.status, body[:100]))
    c.close()


def spoiled_gzip(rnd):
    post(HTTP, '/v1/traces', spoil(rnd, gzip.compress(RICH)), {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'gzip'}, SPOILED)


def spoiled_http(rnd):
    text = b'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' % len(RICH) + RICH
    throw(HTTP, spoil(rnd, text[:110]) + text[110:], maybe(rnd))


def odd_lengths(rnd):
    head = b'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n'
    rest = rnd.choice((b'Content-Length: 99999999999999999999\r\n\r\n', b'Content-Length: -1\r\n\r\n', b'Content-Length: 9223372036854775807\r\n\r\n',
                       b'Content-Length: 0x10\r\n\r\n', b'Content-Length: 5\r\nContent-Length: 50\r\n\r\nabcde',
                       b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc', b'Transfer-Encoding: chunked\r\n\r\n7fffffff\r\nabc',
                       b'Transfer-Encoding: chunked\r\n\r\n-5\r\nabc', b'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
                       b'X: ' + b'y' * 200000, b'X: y\r\n' * 20000 + b'\r\n', b'Expect: 100-continue\r\nContent-Length: 10\r\n\r\n'))
    throw(rnd.choice((HTTP, QUERY)), head + rest, maybe(rnd))


# ---- gRPC ----

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'


def frame(kind, flags, stream, payload):
    return struct.pack('>I', len(payload))[1:] + bytes((kind, flags)) + struct.pack('>I', stream) + payload


def literal(name, text):
    return b'\0' + varint(len(name)) + name + varint(len(text)) + text


def headers(stream, extra=()):
    fields = [(b':method', b'POST'), (b':scheme', b'http'), (b':path', b'/opentelemetry.proto.collector.trace.v1.TraceService/Export'),
              (b':authority', b'x'), (b'content-type', b'application/grpc'), (b'te', b'trailers')] + list(extra)
    return frame(1, 4, stream, b''.join(literal(n, v) for n, v in fields))


def data(stream, body, compressed=0, length=None):
    message = bytes((compressed,)) + struct.pack('>I', len(body) if length is None else length) + body
    frames = [frame(0, 0, stream, message[i:i + 16000]) for i in range(0, len(message), 16000)]
    return b''.join(frames) + frame(0, 1, stream, b'')


GOOD = PREFACE + frame(4, 0, 0, b'') + headers(1) + data(1, RICH) + headers(3) + data(3, RICH)


def spoiled_http2(rnd):
    throw(GRPC, spoil(rnd, GOOD), maybe(rnd))


def spoiled_grpc(rnd):
    out = PREFACE + frame(4, 0, 0, b'')
    for stream in range(1, 21, 2):
        how = rnd.randrange(4)
        if how == 0:
            out += headers(stream) + data(stream, spoil(rnd, RICH))
        elif how == 1:
            out += headers(stream, [(b'grpc-encoding', b'gzip')]) + data(stream, spoil(rnd, gzip.compress(RICH)), 1)
        elif how == 2:
            out += headers(stream) + data(stream, RICH, rnd.choice((0, 1, 2, 255)), rnd.choice((0, 1, 0x7fffffff, 0xffffffff, len(RICH) + 1)))
        else:
            out += headers(stream, [(b'grpc-timeout', rnd.choice((b'1n', b'-5S', b'99999999999H', b'x'))), (b'x-scope-orgid', spoil(rnd, b'tenant'))]) + data(stream, RICH)
    throw(GRPC, out, 0.2)


def http2_floods(rnd):
    """Frames that cost the sender nothing."""
    kind = rnd.randrange(6)
    out = PREFACE + frame(4, 0, 0, b'')
    if kind == 0:
        out += frame(6, 0, 0, b'pingpong') * 5000
    elif kind == 1:
        out += frame(4, 0, 0, struct.pack('>HI', 4, 65535)) * 3000
    elif kind == 2:
        for stream in range(1, 4001, 2):
            out += headers(stream) + frame(3, 0, stream, struct.pack('>I', 8))
    elif kind == 3:
        out += frame(1, 0, 1, literal(b'a', b'b')) + frame(9, 0, 1, literal(b'c' * 100, b'd' * 20)) * 2000
    elif kind == 4:
        for stream in range(1, 2001, 2):
            out += headers(stream)
    else:
        out += headers(1) + frame(0, 0, 1, b'') * 10000
    throw(GRPC, out, 0.3)


# ---- depth, bombs, size ----

def deep_value(depth, kind):
    out = b'\x18\x01'
    for _ in range(depth):
        out = field(5, field(1, out)) if kind == 'list' else field(6, field(1, field(1, b'k') + field(2, out)))
    return out


def deep(rnd):
    depth = rnd.choice((65, 1000, 10000))
    if rnd.random() < 0.5:
        span = field(1, b'hostile span id!') + field(2, b'deepdeep') + field(9, field(1, b'k') + field(2, deep_value(depth, rnd.choice(('list', 'map')))))
        body = field(1, field(2, field(2, span)))
        if rnd.random() < 0.5:
            throw(GRPC, PREFACE + frame(4, 0, 0, b'') + headers(1) + data(1, body), 0.3)
        elif post(HTTP, '/v1/traces', body, {'Content-Type': 'application/x-protobuf'}, (400,)) is None:
            odd.append('deep protobuf: no answer')
        return
    text = rnd.choice((b'[' * depth, b'{"resourceSpans":' * depth, b'{"x":' * depth + b'1' + b'}' * depth,
                       b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":' + b'{"arrayValue":{"values":[' * depth))
    post(HTTP, '/v1/traces', text, {'Content-Type': 'application/json'}, (400,))


def zeros(megabytes, command):
    pipe = 'head -c %dM /dev/zero | %s' % (megabytes, command)
    return subprocess.run(['sh', '-c', pipe], stdout=subprocess.PIPE, check=True).stdout


BOMBS = {'gzip': zeros(1000, 'gzip -1'), 'zstd': zeros(1000, 'zstd -qc')}


def bomb(rnd):
    how = rnd.choice(('gzip', 'zstd'))
    if rnd.random() < 0.5:
        post(HTTP, '/v1/traces', BOMBS[how], {'Content-Type': 'application/x-protobuf', 'Content-Encoding': how}, (413, 429))
    else:
        throw(GRPC, PREFACE + frame(4, 0, 0, b'') + headers(1, [(b'grpc-encoding', how.encode())]) + data(1, BOMBS[how], 1), 2)


def large(rnd):
    """Megabytes that are announced and never finished, or finished and worth nothing."""
    size = rnd.choice((1, 8, 15)) * 1000000
    how = rnd.randrange(3)
    if how == 0:
        head = b'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' % (size + 1)
        with connect(HTTP, 3) as s:
            try:
                s.sendall(head)
                s.sendall(bytes(size))
                time.sleep(1)
            except OSError:
                pass
    elif how == 1:
        post(HTTP, '/v1/traces', b'\x13' * size, {'Content-Type': 'application/x-protobuf'}, (400, 429))
    else:
        throw(GRPC, PREFACE + frame(4, 0, 0, b'') + headers(1) + data(1, bytes(size), 0, size + 1), 1)


def slow(rnd):
    """A byte now and then."""
    port = rnd.choice((HTTP, GRPC, QUERY))
    text = {HTTP: b'POST /v1/traces HTTP/1.1\r\nContent-Length: 1000\r\n\r\n', GRPC: GOOD, QUERY: b'GET /api/search?q=%7B%7D HTTP/1.1\r\nHost: x\r\n\r\n'}[port]
    with connect(port) as s:
        try:
            for i in range(20):
                s.sendall(text[i:i + 1])
                time.sleep(0.1)
        except OSError:
            pass


# ---- the query server ----

QUERIES = ('{ .a = 1 } | select(.b)', '{ resource.service.name =~ "h.*" && span.number > 3 } >> { }', '{ } | by(name) | count() > 1',
           '{ duration > 1ms && status = error } || { kind = server }', '{ event:name = "event" && link.l = 1 && .list != nil }')


def bad_query(rnd):
    how = rnd.randrange(5)
    if how == 0:
        q = rnd.choice(('(' * 10000, '{' + '!' * 50000 + 'true}', '{ .a = "' + 'x' * 300000, '{ .a =~ "' + '(' * 5000 + '" }', '{ .a =~ "(a+)+$" }',
                        '{ .a = ' + '-' * 20000 + '1 }', '{ ' + ' && '.join(['.a = 1'] * 5000) + ' }'))
    elif how == 1:
        q = rnd.choice(QUERIES)
    else:
        q = spoil(rnd, rnd.choice(QUERIES).encode())
    path = rnd.choice(('/api/search?limit=5&q=', '/api/search?start=0&end=4294967295&q=', '/api/search?spss=-1&limit=99999999999&q=', '/api/v2/search/tags?q=')) + urllib.parse.quote(q)
    if how == 4:
        path = rnd.choice(('/api/traces/', '/api/v2/traces/')) + urllib.parse.quote(rnd.choice((q[:40], '5b8efff798038103d269b633813fc60c', 'f' * 33, '0', '%00')))
    throw(QUERY, b'GET %s HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: %s\r\n\r\n' % (path.encode(), spoil(rnd, b'single-tenant') if rnd.random() < 0.1 else b'single-tenant'), maybe(rnd) or 0.3)


# ---- the well-behaved client beside them, and what to watch ----

class Good(threading.Thread):
    """Sends requests of 20 spans over one connection, and asks whether the query server is there."""

    def __init__(self):
        super().__init__()
        self.stop = False
        self.sent = self.failed = self.refused = 0
        self.slowest = self.slowest_ready = 0.0

    def run(self):
        c = None
        while not self.stop:
            started = time.time()
            self.sent += 1
            try:
                c = c or http.client.HTTPConnection('127.0.0.1', HTTP, timeout=60)
                c.request('POST', '/v1/traces', request(99, self.sent, 20, 1), {'Content-Type': 'application/x-protobuf'})
                answer = c.getresponse()
                answer.read()
                if answer.status == 429:
                    self.refused += 1
                elif answer.status != 200:
                    self.failed += 1
            except (OSError, http.client.HTTPException):
                self.failed += 1
                c = None
            self.slowest = max(self.slowest, time.time() - started)
            started = time.time()
            ready = http.client.HTTPConnection('127.0.0.1', QUERY, timeout=60)
            ready.request('GET', '/ready')
            if ready.getresponse().status != 200:
                self.failed += 1
            ready.close()
            self.slowest_ready = max(self.slowest_ready, time.time() - started)
            time.sleep(0.02)


class Watch(threading.Thread):
    """Private memory of the receivers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0

    def run(self):
        while True:
            for pid in RECEIVERS:
                try:
                    with open('/proc/%s/status' % pid) as f:
                        anon = next(int(line.split()[1]) for line in f if line.startswith('RssAnon'))
                    self.most = max(self.most, anon // 1024)
                except (OSError, StopIteration):
                    odd.append('receiver %s is gone' % pid)
            time.sleep(0.05)


ATTACKS = ((random_bytes, 600), (spoiled_protobuf, 120), (spoiled_json, 60), (spoiled_gzip, 150), (spoiled_http, 200), (odd_lengths, 150),
           (spoiled_http2, 500), (spoiled_grpc, 60), (http2_floods, 24), (deep, 60), (bomb, 12), (large, 30), (slow, 40), (bad_query, 300))


def run(job):
    attack, number = job
    try:
        attack(random.Random('%s %s %d' % (SEED, attack.__name__, number)))
    except TimeoutError:
        odd.append('%s %d: no answer in time' % (attack.__name__, number))
    except (OSError, http.client.HTTPException) as e:
        # the server may close such a connection at any time
        if isinstance(e, ConnectionRefusedError):
            odd.append('%s %d: %s' % (attack.__name__, number, e))


def main():
    good, watch = Good(), Watch()
    good.start()
    watch.start()
    jobs = [(attack, n) for attack, times in ATTACKS for n in range(times)]
    random.Random(SEED).shuffle(jobs)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(run, jobs))
    good.stop = True
    good.join()
    for attack, times in ATTACKS:
        print(attack.__name__, times)
    print('good_sent', good.sent)
    print('good_failed', good.failed)
    print('good_refused', good.refused)
    print('good_slowest_ms', int(good.slowest * 1000))
    print('ready_slowest_ms', int(good.slowest_ready * 1000))
    print('receiver_mb', watch.most)
    for line in odd[:50]:
        print('odd', line.replace('\n', ' '))


main()
