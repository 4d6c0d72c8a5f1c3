#!/usr/bin/env python3
"""extremes.py DIR HTTP-PORT SEED [random]

Sends spans such as nobody sends but everybody may: values at the ends of their ranges, odd text, very many of everything,
and spans made at random of all that, or only the latter. What must be stored goes to DIR/expected as lines of COPY (see lossless.py).
Prints TAP lines without numbers.
"""
import random
import sys

import otlp
from lossless import JSON, PROTOBUF, Receiver, ok

DAY = 86400 * 10**9
START = 1700006400 * 10**9
DOUBLES = (0x0, 0x8000000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0x1,
           0x7fefffffffffffff, 0x3ff0000000000000, 0x3fb999999999999a, 0x4340000000000001, 0x430c6bf526340000, 0x3f1a36e2eb1c432d)
INTS = (0, 1, -1, 2**31 - 1, 2**31, -2**31, 2**53 + 1, 2**63 - 1, -2**63, 255, 65536)
TEXTS = ('', 'a', 'a', 'a', 'service', '\0', 'x\0y', '\x01\x1f\x7f', '"\\\t\n\r\b\f', 'é', '😀', '\ufffe\uffff', '\u2028', 'x' * 300, 'tab\tand\\N', "'", '%s', '{"a": 1}')
TIMES = (START, START + 1, START + 999, START + 1000, START + DAY - 1, START + DAY, 0, 1, 2**63 - 1)


def number(rnd):
    return rnd.choice(INTS) if rnd.random() < 0.5 else rnd.getrandbits(rnd.randrange(1, 64))


def text(rnd):
    return rnd.choice(TEXTS) if rnd.random() < 0.8 else ''.join(rnd.choice('abcdé\0"\\\n') for _ in range(rnd.randrange(40)))


def value(rnd, depth=0):
    kind = rnd.choice(otlp.TYPES if depth < 4 else otlp.TYPES[:5])
    if kind == 'string':
        return kind, text(rnd)
    if kind == 'bool':
        return kind, rnd.random() < 0.5
    if kind == 'int':
        return kind, number(rnd)
    if kind == 'double':
        return kind, rnd.choice(DOUBLES) if rnd.random() < 0.5 else rnd.getrandbits(64)
    if kind == 'array':
        return kind, [value(rnd, depth + 1) for _ in range(rnd.randrange(4))]
    if kind == 'map':
        return kind, attributes(rnd, 3, depth + 1)
    return kind, rnd.randbytes(rnd.randrange(20)) if kind == 'bytes' else None


def attributes(rnd, most, depth=0):
    return [(rnd.choice(('k', 'a', 'b', 'service.name', 'é', '', 'k' * 100, text(rnd))), value(rnd, depth)) for _ in range(rnd.randrange(most + 1))]


def u32(rnd):
    return rnd.choice((0, 0, 0, 1, 2**32 - 1, rnd.getrandbits(16)))


def event(rnd):
    return {'time': rnd.choice(TIMES + (2**64 - 1,)), 'name': text(rnd), 'dropped': u32(rnd), 'attributes': attributes(rnd, 2)}


def link(rnd):
    size = rnd.choice((16, 16, 16, 0, 3))
    return {'trace_id': rnd.randbytes(size), 'span_id': rnd.randbytes(8 if size == 16 else rnd.randrange(12)), 'trace_state': text(rnd),
            'flags': u32(rnd), 'dropped': u32(rnd), 'attributes': attributes(rnd, 2)}


def span(rnd, **given):
    s = {'trace_id': rnd.choice((b'\xff' * 16, b'\0' * 15 + b'\1', bytes(15) + bytes((rnd.randrange(1, 6),)), rnd.randbytes(16))),
         'span_id': rnd.choice((b'\xff' * 8, bytes(7) + bytes((rnd.randrange(1, 9),)), rnd.randbytes(8))),
         'parent': rnd.choice((b'', b'\xff' * 8, bytes(7) + bytes((rnd.randrange(1, 9),)), rnd.randbytes(8))),
         'trace_state': text(rnd), 'name': text(rnd), 'kind': rnd.choice((0, 1, 2, 3, 4, 5, 6, -1, 2**31 - 1, -2**31)),
         'start': rnd.choice(TIMES), 'end': rnd.choice(TIMES + (2**64 - 1,)), 'attributes': attributes(rnd, 6),
         'events': [event(rnd) for _ in range(rnd.choice((0, 0, 1, 3)))], 'links': [link(rnd) for _ in range(rnd.choice((0, 0, 1, 3)))],
         'dropped_attributes': u32(rnd), 'dropped_events': u32(rnd), 'dropped_links': u32(rnd), 'flags': u32(rnd),
         'status': {'message': text(rnd), 'code': rnd.choice((0, 1, 2, 3, -1))}}
    s.update(given)
    return s


def resource(rnd):
    return {'attributes': attributes(rnd, 4), 'dropped': u32(rnd), 'schema_url': text(rnd)}


def scope(rnd):
    return {'name': text(rnd), 'version': text(rnd), 'attributes': attributes(rnd, 2), 'dropped': u32(rnd), 'schema_url': text(rnd)}


def plain(number, **given):
    s = {'trace_id': b'plain span trace', 'span_id': (number + 1).to_bytes(8, 'big'), 'parent': b'', 'trace_state': '', 'name': 'plain', 'kind': 1,
         'start': START + number, 'end': START + number + 5, 'attributes': [], 'events': [], 'links': [], 'dropped_attributes': 0, 'dropped_events': 0,
         'dropped_links': 0, 'flags': 0, 'status': {'message': '', 'code': 0}}
    s.update(given)
    return s


NONE = {'attributes': [('service.name', ('string', 'extremes'))], 'dropped': 0, 'schema_url': ''}
NO_SCOPE = {'name': '', 'version': '', 'attributes': [], 'dropped': 0, 'schema_url': ''}
EVENT = {'time': START, 'name': 'e', 'dropped': 0, 'attributes': []}
LINK = {'trace_id': b'l' * 16, 'span_id': b'l' * 8, 'trace_state': '', 'flags': 0, 'dropped': 0, 'attributes': []}


def nested(kind, depth):
    v = ('int', 1)
    for _ in range(depth):
        v = ('array', [v]) if kind == 'array' else ('map', [('k', v)])
    return v


def noise(rnd, n):
    """Text that does not compress."""
    return rnd.randbytes(n // 2).hex()


def large(rnd):
    """(name, spans) of requests that have one thing in excess."""
    mb = 1000000
    yield 'a name of 5 MB', [plain(0, name='n' * 5 * mb), plain(1)]
    yield 'an attribute of 10 MB', [plain(0, attributes=[('k', ('string', noise(rnd, 10 * mb)))]), plain(1, attributes=[('k', ('string', 'short'))])]
    yield 'bytes of 10 MB', [plain(0, attributes=[('k', ('bytes', rnd.randbytes(10 * mb)))])]
    yield 'a key of 2 MB', [plain(0, attributes=[('k' * 2 * mb, ('int', 1))])]
    yield 'status, trace state and events of 1 MB', [plain(n, trace_state='t' * mb, status={'message': noise(rnd, mb), 'code': 2},
                                                            events=[dict(EVENT, name='e' * mb)], links=[dict(LINK, trace_state='l' * mb)]) for n in range(3)]
    yield '20,000 attributes on one span', [plain(0, attributes=[('k%d' % n, ('int', n)) for n in range(20000)]), plain(1)]
    yield 'one key 5,000 times', [plain(0, attributes=[('k', ('int', n)) for n in range(5000)]), plain(1)]
    yield '40,000 keys, each once', [plain(n, attributes=[('k%d' % n, ('int', n))]) for n in range(40000)]
    yield '50,000 events', [plain(0), plain(1, events=[dict(EVENT, time=START + n) for n in range(50000)]), plain(2, events=[EVENT])]
    yield '20,000 links', [plain(0, links=[dict(LINK, flags=n) for n in range(20000)])]
    yield '50,000 spans of one trace', [plain(n, parent=n.to_bytes(8, 'big')) for n in range(50000)]
    yield '200,000 array members', [plain(0, attributes=[('k', ('array', [('int', n % 100) for n in range(200000)]))])]
    yield '64 levels', [plain(n, attributes=[('k', nested(kind, 63))]) for n, kind in enumerate(('array', 'map'))]
    yield '5,000 traces', [plain(n, trace_id=n.to_bytes(16, 'big')) for n in range(1, 5001)]
    yield '100 days', [plain(n, start=START + n * DAY, end=START + n * DAY) for n in range(100)]


class Sender:
    """No span is one that was sent before by the rule of folding, by this run (run: 0 or 1) or by the other."""
    def __init__(self, directory, port, run):
        self.run = run
        self.seen = set()
        self.receiver = Receiver(port)
        self.out = open(directory + '/expected', 'w', encoding='utf-8', newline='\n')

    def once(self, tenant, s):
        def key():
            return tenant, s['trace_id'], s['span_id'], s['kind'], s['start'], s['end']
        while s['end'] % 2 != self.run or key() in self.seen:
            s['end'] = (s['end'] + 1) % 2**64
        self.seen.add(key())
        return s

    def send(self, name, tenant, spans, kind=PROTOBUF):
        for _, _, s in spans:
            self.once(tenant, s)
        body = otlp.to_json(spans) if kind == JSON else otlp.to_protobuf(spans)
        status, answer = self.receiver.post(body, kind, tenant)
        ok(status == 200 and answer in (b'', b'{"partialSuccess":{}}'), '%s: taken' % name, status, answer[:200])
        if status == 200:
            self.out.writelines(otlp.row(tenant, *s) + '\n' for s in spans)


def main():
    directory, port, rnd = sys.argv[1], int(sys.argv[2]), random.Random(sys.argv[3])
    sender = Sender(directory, port, int(len(sys.argv) == 5))
    for n, (name, spans) in enumerate(large(rnd) if len(sys.argv) < 5 else ()):
        sender.send(name, 'large-%d' % n, [(NONE, NO_SCOPE, s) for s in spans])
    sender.send('10,000 resources', 'resources', [({'attributes': [('n', ('int', n))], 'dropped': 0, 'schema_url': ''}, NO_SCOPE, plain(n)) for n in range(10000)])
    for n in range(40):
        spans = [s for _ in range(3) for r in [resource(rnd)] for _ in range(2) for sc in [scope(rnd)] for s in [(r, sc, span(rnd)) for _ in range(20)]]
        sender.send('random spans %d' % n, 'random-%d' % (n % 3), spans)
        # JSON says nothing of the bits of a NaN, and ids of odd lengths could be hexadecimal or base64
        spans = [(r, sc, dict(s)) for r, sc, s in spans]
        spans = [t for t in spans if 'NaN(' not in otlp.row('', *t) and all(len(l['span_id']) == 8 for l in t[2]['links'])]
        sender.send('random spans %d in JSON' % n, 'random-json', spans, JSON)
    for n in range(300):
        s = sender.once('tenant-%d' % n, plain(n))
        status, answer = sender.receiver.post(otlp.to_protobuf([(NONE, NO_SCOPE, s)]), PROTOBUF, 'tenant-%d' % n)
        if status != 200:
            ok(False, 'tenant %d: taken' % n, status, answer)
        sender.out.write(otlp.row('tenant-%d' % n, NONE, NO_SCOPE, s) + '\n')
    sender.out.close()


main()
