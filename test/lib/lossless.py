#!/usr/bin/env python3
"""Sends real requests and says what must come back; used by test/t/042_lossless.pl.

lossless.py send SHARED DIR HTTP-PORT
    Batches of each data set, a tenant each: every fourth one as OTLP/HTTP protobuf, JSON and gzipped protobuf, the
    rest, for gRPC, into DIR/TENANT.grpc. Payload documents and exporters' bodies, likewise tenants. What must be
    stored goes to DIR/expected as lines of COPY. Prints TAP lines without numbers.
lossless.py fold EXPECTED
    EXPECTED.folded: without spans that come again with the same tenant, trace, id, kind, start and duration.
lossless.py compare EXPECTED ACTUAL
    Are the files equal but for the order of lines and how doubles are rounded? Says which columns of which spans
    differ.
lossless.py traces EXPECTED QUERY-PORT TENANT...
    TENANT may be * for all, or documents for all that are not data sets. Is every trace, asked for by id in protobuf and JSON, what was sent, by the rules for traces over HTTP?
"""
import collections
import glob
import gzip
import hashlib
import http.client
import json
import multiprocessing
import operator
import os
import re
import subprocess
import sys

import otlp

PROTOBUF, JSON = 'application/x-protobuf', 'application/json'
failed = False


def ok(good, name, *why):
    global failed
    failed = failed or not good
    print('ok' if good else 'not ok', '-', name)
    for line in why if not good else ():
        print('#', line)
    sys.stdout.flush()


class Receiver:
    def __init__(self, port):
        self.http = http.client.HTTPConnection('127.0.0.1', port, timeout=120)

    def post(self, body, kind, tenant, encoding=None):
        headers = {'Content-Type': kind, 'X-Scope-OrgID': tenant}
        if encoding:
            headers['Content-Encoding'] = encoding
        self.http.request('POST', '/v1/traces', body, headers)
        answer = self.http.getresponse()
        return answer.status, answer.read()


def delimited(buf):
    at = 0
    while at < len(buf):
        size, at = otlp.varint(buf, at)
        yield buf[at:at + size]
        at += size


def send_file(args):
    """One data set; returns the number of requests that were not answered 200, and the expected rows."""
    path, directory, port = args
    tenant = os.path.basename(path)[:-len('.otlp.zst')]
    receiver = Receiver(port)
    bad, rows = [], []
    raw = subprocess.run(['zstd', '-dcq', path], stdout=subprocess.PIPE, check=True).stdout
    with open('%s/%s.grpc' % (directory, tenant), 'wb') as grpc:
        for n, request in enumerate(delimited(raw)):
            spans = otlp.from_protobuf(request)
            rows += [otlp.row(tenant, *s) for s in spans]
            if n % 4 == 0:
                answer = receiver.post(request, PROTOBUF, tenant)
            elif n % 4 == 1:
                answer = receiver.post(otlp.to_json(spans), JSON, tenant)
            elif n % 4 == 2:
                answer = receiver.post(gzip.compress(request, 1), PROTOBUF, tenant, 'gzip')
            else:
                grpc.write(length_prefix(len(request)) + request)
                continue
            if answer[0] != 200:
                bad.append('request %d: %d %r' % (n, *answer))
    return tenant, bad, rows


def length_prefix(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def send_document(receiver, name, tenant, body, kind, expected):
    """Taken whole when our reader can read it, refused with a reason when it cannot."""
    try:
        spans = otlp.from_json(body) if kind == JSON else otlp.from_protobuf(body)
    except otlp.Malformed as e:
        status, answer = receiver.post(body, kind, tenant)
        ok(status == 400 and len(answer) > 16, '%s: refused, as it is malformed (%s)' % (name, str(e)[:60]), status, answer)
        return
    expected += [otlp.row(tenant, *s) for s in spans]
    status, answer = receiver.post(body, kind, tenant)
    ok(status == 200, '%s: taken, %d spans' % (name, len(spans)), status, answer)


def documents(shared):
    """(name, bytes, content type) of all OTLP documents and bodies."""
    for entry in json.load(open(shared + '/data/payloads/MANIFEST.json')):
        if entry['file'].startswith('otlp-json/') and not entry['file'].endswith('.yaml'):
            yield entry['file'], JSON
        if entry['file'].startswith('otlp-json/') and 'pb' in entry:
            yield entry['pb'], PROTOBUF


def send(shared, directory, port):
    expected = []
    receiver = Receiver(port)
    for n, (name, kind) in enumerate(documents(shared)):
        body = open('%s/data/payloads/%s' % (shared, name), 'rb').read()
        send_document(receiver, name, 'payload-%d' % n, body, kind, expected)
    bodies = [open(path, 'rb').read() for path in sorted(glob.glob(shared + '/data/exporters/*-grpc.bin'))]
    with open(directory + '/exporters.grpc', 'wb') as grpc:
        for body in bodies:
            body = body[5:] if body[:1] == b'\0' and int.from_bytes(body[1:5], 'big') == len(body) - 5 else body
            expected += [otlp.row('exporters', *s) for s in otlp.from_protobuf(body)]
            grpc.write(length_prefix(len(body)) + body)
    for n, path in enumerate(sorted(glob.glob(shared + '/data/exporters/*-h1_v1_traces.bin'))):
        body = open(path, 'rb').read()
        send_document(receiver, os.path.basename(path), 'exporter-%d' % n, body, JSON if body[:1] == b'{' else PROTOBUF, expected)
    files = sorted(glob.glob(shared + '/data/*.otlp.zst'), key=os.path.getsize, reverse=True)
    with multiprocessing.Pool(2) as pool, open(directory + '/expected', 'w', encoding='utf-8', newline='\n') as out:
        for tenant, bad, rows in pool.imap_unordered(send_file, [(f, directory, port) for f in files], 1):
            ok(not bad, '%s: every request over HTTP is answered 200' % tenant, *bad[:5])
            out.writelines(line + '\n' for line in rows)
        out.writelines(line + '\n' for line in expected)


# ---- what merges leave ----

SPAN = operator.itemgetter(0, 1, 2, 5, 8, 9)  # tenant, trace id, span id, kind, start, duration


def fold(path):
    seen = set()
    with open(path, encoding='utf-8', newline='\n') as rows, open(path + '.folded', 'w', encoding='utf-8', newline='\n') as out:
        for line in rows:
            span = SPAN(line.rstrip('\n').split('\t'))
            if span not in seen:
                out.write(line)
            seen.add(span)


# ---- comparing ----

def digest(line):
    return hashlib.blake2b(line, digest_size=16).digest()


def digests(path):
    with open(path, 'rb') as f:
        return collections.Counter(map(digest, f))


# PostgreSQL does not take digits that are half way to the next double and so prints one more now and then.
DOUBLE = re.compile(r'-?\d+\.\d+(e[+-]\d+)?')


def lines_in(path, wanted):
    wanted = collections.Counter(wanted)
    with open(path, 'rb') as f:
        for line in f:
            if wanted[digest(line)] > 0:
                wanted[digest(line)] -= 1
                yield [DOUBLE.sub(lambda m: repr(float(m[0])), v) for v in line.decode('utf-8').rstrip('\n').split('\t')]


def around(a, b):
    """Both where they begin to differ."""
    at = len(os.path.commonprefix([a, b]))
    return ['%s%s' % ('...' if at > 60 else '', text[max(at - 60, 0):at + 100]) for text in (a, b)]


def differences(missing, extra):
    """Pairs up rows of one span and names the columns that differ."""
    left = collections.defaultdict(list)
    for row in extra:
        left[tuple(row[:3])].append(row)
    for row in missing:
        candidates = left[tuple(row[:3])]
        if not candidates:
            yield 'missing: ' + ' '.join(row[:3])
            continue
        other = min(candidates, key=lambda c: sum(a != b for a, b in zip(row, c)))
        candidates.remove(other)
        for name, a, b in zip(otlp.COLUMNS, row, other):
            if a != b:
                yield '%s: %s is %s, sent was %s' % (' '.join(row[:3]), name, *around(b, a))
    for rows in left.values():
        for row in rows:
            yield 'not sent: ' + ' '.join(row[:3])


def compare(expected, actual):
    want, got = digests(expected), digests(actual)
    print('# %d spans sent, %d read' % (sum(want.values()), sum(got.values())))
    wrong = list(differences(lines_in(expected, want - got), lines_in(actual, got - want)))
    for line in wrong[:20] + ['and more'] * (len(wrong) > 20):
        print('#', line)
    sys.exit(1 if wrong or not want else 0)


# ---- whole traces over HTTP ----

ID, PARENT, KIND = 2, 3, 5


def sent_traces(path, tenants):
    """{(tenant, trace id): rows}"""
    out = collections.defaultdict(list)
    with open(path, encoding='utf-8', newline='\n') as f:
        for line in f:
            row = line.rstrip('\n').split('\t')
            if row[0] in tenants or '*' in tenants or 'documents' in tenants and row[0].startswith(('payload', 'exporter')):
                out[row[0], row[1]].append(row)
    return out


def by_id_and_kind(rows):
    out = collections.defaultdict(list)
    for row in rows:
        out[row[ID], row[KIND]].append(row)
    return out


def expect_view(rows):
    """Per shown span the rows it may be: copies of one id and kind are dropped but one; of a client and a server span
    under one id the server gets a new one, here 'new:' and the old one, and hangs below the client with all children."""
    ids = by_id_and_kind(rows)
    shared = {i for i, kind in ids if kind == 'server' and (i, 'client') in ids}
    out = []
    for (span_id, kind), copies in ids.items():
        variants = []
        for row in copies:
            row = list(row)
            if span_id in shared and kind == 'server':
                row[ID], row[PARENT] = 'new:' + span_id, span_id
            elif row[PARENT] in shared and not (span_id == row[PARENT] and kind == 'client'):
                row[PARENT] = 'new:' + row[PARENT]
            variants.append(tuple(row))
        out.append(variants)
    return out


def shown_view(rows, sent_ids):
    """New ids, which must be ones that nobody has, named after the one they had."""
    new = {row[ID]: 'new:' + row[PARENT] for row in rows if row[ID] not in sent_ids}
    for row in rows:
        row[ID], row[PARENT] = new.get(row[ID], row[ID]), new.get(row[PARENT], row[PARENT])
    return [tuple(row) for row in rows]


def check_trace(rows, shown):
    """None, or what is wrong."""
    shown = shown_view([list(s) for s in shown], {row[ID] for row in rows})
    expected = expect_view(rows)
    if len(shown) != len(expected):
        return '%d spans shown, %d expected' % (len(shown), len(expected))
    left = {(s[ID], s[KIND]): s for s in shown}
    for variants in expected:
        s = left.pop((variants[0][ID], variants[0][KIND]), None)
        if s is None:
            return 'span %s is not shown' % (variants[0][ID],)
        if s not in variants:
            return next(differences([list(variants[0])], [list(s)]), None) or 'span %s differs' % (s[ID],)
    return None


def read_protobuf(body):
    response = dict((n, v) for n, _, v in otlp.fields(body))
    return otlp.from_protobuf(response[1])


def read_json(body):
    return otlp.JsonReader(query_api=True).request(otlp.parse_json(body)['trace'])


def plain_nan(row):
    """JSON has one NaN only."""
    return [re.sub(r'NaN\(0x[0-9a-f]+\)', 'NaN', value) for value in row]


def rows_of(tenant, spans):
    return [otlp.row(tenant, *s).split('\t') for s in spans]


def ask(args):
    """Some traces; returns what is wrong with them."""
    port, traces = args
    api = http.client.HTTPConnection('127.0.0.1', port, timeout=120)
    wrong = []
    for (tenant, trace_id), rows in traces:
        for accept, read in (('application/protobuf', read_protobuf), ('application/json', read_json)):
            api.request('GET', '/api/v2/traces/' + trace_id.lstrip('0'), headers={'Accept': accept, 'X-Scope-OrgID': tenant})
            answer = api.getresponse()
            body = answer.read()
            problem = 'status %d: %r' % (answer.status, body[:200])
            if answer.status == 200:
                try:
                    wanted = rows if read is read_protobuf else [plain_nan(row) for row in rows]
                    problem = check_trace(wanted, rows_of(tenant, read(body)))
                except otlp.Malformed as e:
                    problem = 'malformed: %s' % e
            if problem:
                wrong.append('%s %s, %s: %s' % (tenant, trace_id, accept, problem))
    return wrong


def traces(expected, port, tenants):
    sent = list(sent_traces(expected, tenants).items())
    wrong = []
    with multiprocessing.Pool(2) as pool:
        for part in pool.imap_unordered(ask, [(port, sent[i::32]) for i in range(32)]):
            wrong += part
    print('# %d traces, %d answers are wrong' % (len(sent), len(wrong)))
    for line in wrong[:20]:
        print('#', line)
    sys.exit(1 if wrong or not sent else 0)


if __name__ == '__main__':
    command, args = sys.argv[1], sys.argv[2:]
    if command == 'send':
        send(args[0], args[1], int(args[2]))
        sys.exit(1 if failed else 0)
    elif command == 'fold':
        fold(*args)
    elif command == 'compare':
        compare(*args)
    elif command == 'traces':
        traces(args[0], int(args[1]), args[2:])
    else:
        sys.exit(__doc__)
