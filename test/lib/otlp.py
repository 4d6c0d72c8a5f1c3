"""OTLP traces, read by the book and not by our code: protobuf and JSON into plain Python values, values into
OTLP/JSON, and each span as the text that SQL should show for it.

A request is a list of (resource, scope, span): resource and scope are dicts shared by their spans. Attributes are
lists of (key, value); a value is (type, content), type one of TYPES, doubles as their 64 bits. Malformed requests
raise Malformed.
"""
import base64
import json
import re
import struct
from decimal import Decimal
from functools import lru_cache

TYPES = ('empty', 'string', 'bool', 'int', 'double', 'array', 'map', 'bytes')
KINDS = ('unspecified', 'internal', 'server', 'client', 'producer', 'consumer')
STATUSES = ('unset', 'ok', 'error')
EMPTY = ('empty', None)


class Malformed(Exception):
    pass


# ---- protobuf wire format ----

def varint(buf, at):
    value = shift = 0
    while True:
        if at >= len(buf) or shift > 63:
            raise Malformed('bad varint')
        byte = buf[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value & 0xffffffffffffffff, at
        shift += 7


def fields(buf):
    """(number, wire type, content) of every field: an int, or bytes."""
    at, end = 0, len(buf)
    while at < end:
        tag = buf[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(buf, at - 1)
        wire = tag & 7
        if wire == 0:
            value, at = varint(buf, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > end:
                raise Malformed('cut off')
            value = int.from_bytes(buf[at:at + size], 'little')
            at += size
        elif wire == 2:
            size, at = varint(buf, at)
            if at + size > end:
                raise Malformed('cut off')
            value = buf[at:at + size]
            at += size
        else:
            raise Malformed('wire type %d' % wire)
        if tag >> 3 == 0:
            raise Malformed('field number 0')
        yield tag >> 3, wire, value


def text_of(raw):
    try:
        return raw.decode('utf-8')
    except UnicodeDecodeError:
        raise Malformed('not UTF-8')


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


READ = {'bytes': (2, bytes), 'text': (2, text_of), 'u32': (0, lambda v: v & 0xffffffff),
        'enum': (0, lambda v: signed(v, 32)), 'f32': (5, int), 'f64': (1, int)}


def message(buf, scalars, nested):
    """A message as a dict: scalars {number: (name, READ type)}, the last one counts; nested {number: (name, reader)},
    lists of what reader makes of each."""
    out = {name: b'' if kind == 'bytes' else '' if kind == 'text' else 0 for name, kind in scalars.values()}
    out.update((name, []) for name, _ in nested.values())
    for number, wire, value in fields(buf):
        if number in scalars:
            name, kind = scalars[number]
            want, convert = READ[kind]
            if wire != want:
                raise Malformed('%s has wire type %d' % (name, wire))
            out[name] = convert(value)
        elif number in nested:
            name, reader = nested[number]
            if wire != 2:
                raise Malformed('%s has wire type %d' % (name, wire))
            out[name].append(reader(value))
    return out


def any_value(buf):
    value = EMPTY
    for number, wire, content in fields(buf):
        if number in (1, 2, 3, 4, 5, 6, 7) and wire != (2, 0, 0, 1, 2, 2, 2)[number - 1]:
            raise Malformed('attribute value has wire type %d' % wire)
        if number == 1:
            value = ('string', text_of(content))
        elif number == 2:
            value = ('bool', content != 0)
        elif number == 3:
            value = ('int', signed(content, 64))
        elif number == 4:
            value = ('double', content)
        elif number == 5:
            value = ('array', [any_value(v) for n, _, v in fields(content) if n == 1])
        elif number == 6:
            value = ('map', [key_value(v) for n, _, v in fields(content) if n == 1])
        elif number == 7:
            value = ('bytes', bytes(content))
    return value


@lru_cache(maxsize=1 << 20)
def key_value(buf):
    key, value = '', EMPTY
    for number, wire, content in fields(buf):
        if number == 1:
            key = text_of(content)
        elif number == 2:
            value = any_value(content)
    return key, value


EVENT = ({1: ('time', 'f64'), 2: ('name', 'text'), 4: ('dropped', 'u32')}, {3: ('attributes', key_value)})
LINK = ({1: ('trace_id', 'bytes'), 2: ('span_id', 'bytes'), 3: ('trace_state', 'text'), 5: ('dropped', 'u32'), 6: ('flags', 'f32')},
        {4: ('attributes', key_value)})
STATUS = ({2: ('message', 'text'), 3: ('code', 'enum')}, {})
SPAN = ({1: ('trace_id', 'bytes'), 2: ('span_id', 'bytes'), 3: ('trace_state', 'text'), 4: ('parent', 'bytes'), 5: ('name', 'text'),
         6: ('kind', 'enum'), 7: ('start', 'f64'), 8: ('end', 'f64'), 10: ('dropped_attributes', 'u32'),
         12: ('dropped_events', 'u32'), 14: ('dropped_links', 'u32'), 16: ('flags', 'f32')},
        {9: ('attributes', key_value), 11: ('events', lambda b: message(b, *EVENT)), 13: ('links', lambda b: message(b, *LINK)),
         15: ('status', lambda b: message(b, *STATUS))})
SCOPE = ({1: ('name', 'text'), 2: ('version', 'text'), 4: ('dropped', 'u32')}, {3: ('attributes', key_value)})
RESOURCE = ({2: ('dropped', 'u32')}, {1: ('attributes', key_value)})
SCOPE_SPANS = ({3: ('schema_url', 'text')}, {1: ('scope', lambda b: message(b, *SCOPE)), 2: ('spans', lambda b: message(b, *SPAN))})
RESOURCE_SPANS = ({3: ('schema_url', 'text')},
                  {1: ('resource', lambda b: message(b, *RESOURCE)), 2: ('scopes', lambda b: message(b, *SCOPE_SPANS)),
                   1000: ('old_scopes', lambda b: message(b, *SCOPE_SPANS))})
REQUEST = ({}, {1: ('resources', lambda b: message(b, *RESOURCE_SPANS))})


def checked(span):
    for name, size in (('trace_id', 16), ('span_id', 8)):
        if len(span[name]) != size or not any(span[name]):
            raise Malformed('%s %r' % (name, span[name]))
    if len(span['parent']) not in (0, 8):
        raise Malformed('parent %r' % span['parent'])
    return span


def flat(resources):
    """Spans of ResourceSpans in order, each with its resource and scope."""
    out = []
    for rs in resources:
        resource = dict((rs['resource'] or [message(b'', *RESOURCE)])[-1], schema_url=rs['schema_url'])
        for ss in rs['scopes'] + rs['old_scopes']:
            scope = dict((ss['scope'] or [message(b'', *SCOPE)])[-1], schema_url=ss['schema_url'])
            for span in ss['spans']:
                span['status'] = (span['status'] or [message(b'', *STATUS)])[-1]
                out.append((resource, scope, checked(span)))
    return out


def from_protobuf(buf):
    return flat(message(buf, *REQUEST)['resources'])


# ---- writing protobuf ----

def put_varint(n):
    out = bytearray()
    n &= 0xffffffffffffffff
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def put(number, content):
    return put_varint(number << 3 | 2) + put_varint(len(content)) + content


def put_any(value):
    kind, v = value
    if kind == 'string':
        return put(1, v.encode())
    if kind == 'bool':
        return b'\x10' + put_varint(v)
    if kind == 'int':
        return b'\x18' + put_varint(v)
    if kind == 'double':
        return b'\x21' + struct.pack('<Q', v)
    if kind == 'array':
        return put(5, b''.join(put(1, put_any(m)) for m in v))
    if kind == 'map':
        return put(6, b''.join(put(1, put_pair(m)) for m in v))
    return put(7, v) if kind == 'bytes' else b''


def put_pair(pair):
    return put(1, pair[0].encode()) + put(2, put_any(pair[1]))


WRITE = {'bytes': lambda n, v: put(n, v), 'text': lambda n, v: put(n, v.encode()), 'u32': lambda n, v: put_varint(n << 3) + put_varint(v),
         'enum': lambda n, v: put_varint(n << 3) + put_varint(v), 'f32': lambda n, v: put_varint(n << 3 | 5) + struct.pack('<I', v),
         'f64': lambda n, v: put_varint(n << 3 | 1) + struct.pack('<Q', v)}


def put_message(fields_of, holder):
    """What message() reads, but for nested messages other than attributes; fields that are 0 or empty are left out."""
    out = [WRITE[kind](n, holder[name]) for n, (name, kind) in fields_of[0].items() if holder[name]]
    return b''.join(out + [put(n, put_pair(a)) for n, (name, _) in fields_of[1].items() if name == 'attributes' for a in holder[name]])


def put_span(s):
    return (put_message(SPAN, s) + b''.join(put(11, put_message(EVENT, e)) for e in s['events']) +
            b''.join(put(13, put_message(LINK, l)) for l in s['links']) + put(15, put_message(STATUS, s['status'])))


def to_protobuf(spans):
    """One ResourceSpans for each run of spans with the same resource and scope."""
    out, last = [], None
    for resource, scope, span in spans:
        if last is None or last[0] is not resource or last[1] is not scope:
            last = (resource, scope, [])
            out.append(last)
        last[2].append(put(2, put_span(span)))
    return b''.join(put(1, put(1, put_message(RESOURCE, r)) + put(2, put(1, put_message(SCOPE, s)) + b''.join(spans) + put(3, s['schema_url'].encode())) +
                        put(3, r['schema_url'].encode())) for r, s, spans in out)


# ---- JSON ----

HEX = re.compile(r'^([0-9A-Fa-f]{2})*$')


def json_id(text, size, base64_only):
    """Hexadecimal, or base64 as some exporters and Tempo's query API have it."""
    if not isinstance(text, str):
        raise Malformed('id %r' % (text,))
    if not base64_only and HEX.match(text) and len(text) != (size * 4 + 2) // 3 + (-size) % 3:
        return bytes.fromhex(text)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed('id %r' % text)


def json_int(value):
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Malformed('number %r' % (value,))
    try:
        return int(value)
    except ValueError:
        raise Malformed('number %r' % (value,))


def json_enum(value, prefix, words):
    if isinstance(value, str) and value.startswith(prefix):
        return words.index(value[len(prefix):].lower())
    return json_int(value)


def bits_of(number):
    return struct.unpack('<Q', struct.pack('<d', number))[0]


def json_any(v):
    for name, content in (v or {}).items():
        if content is None:
            continue
        if name == 'stringValue':
            return 'string', content
        if name == 'boolValue':
            return 'bool', content
        if name == 'intValue':
            return 'int', json_int(content)
        if name == 'doubleValue':
            return 'double', bits_of(float(content))
        if name == 'bytesValue':
            return 'bytes', base64.b64decode(content)
        if name == 'arrayValue':
            return 'array', [json_any(m) for m in content.get('values') or []]
        if name == 'kvlistValue':
            return 'map', json_attributes(content)
    return EMPTY


def json_attributes(holder, name='values'):
    return [(a.get('key', ''), json_any(a.get('value'))) for a in holder.get(name) or []]


class JsonReader:
    """OTLP/JSON, or with query_api the JSON of Tempo's query API, where ids are always base64."""

    def __init__(self, query_api=False):
        self.query_api = query_api

    def id(self, holder, name, size):
        return json_id(holder.get(name) or '', size, self.query_api)

    def event(self, e):
        return {'time': json_int(e.get('timeUnixNano') or 0), 'name': e.get('name') or '',
                'dropped': json_int(e.get('droppedAttributesCount') or 0), 'attributes': json_attributes(e, 'attributes')}

    def link(self, l):
        return {'trace_id': self.id(l, 'traceId', 16), 'span_id': self.id(l, 'spanId', 8), 'trace_state': l.get('traceState') or '',
                'flags': json_int(l.get('flags') or 0), 'dropped': json_int(l.get('droppedAttributesCount') or 0),
                'attributes': json_attributes(l, 'attributes')}

    def span(self, s):
        status = s.get('status') or {}
        return {'trace_id': self.id(s, 'traceId', 16), 'span_id': self.id(s, 'spanId', 8), 'parent': self.id(s, 'parentSpanId', 8),
                'trace_state': s.get('traceState') or '', 'name': s.get('name') or '',
                'kind': json_enum(s.get('kind') or 0, 'SPAN_KIND_', KINDS),
                'start': json_int(s.get('startTimeUnixNano') or 0), 'end': json_int(s.get('endTimeUnixNano') or 0),
                'attributes': json_attributes(s, 'attributes'), 'events': [self.event(e) for e in s.get('events') or []],
                'links': [self.link(l) for l in s.get('links') or []],
                'dropped_attributes': json_int(s.get('droppedAttributesCount') or 0),
                'dropped_events': json_int(s.get('droppedEventsCount') or 0), 'dropped_links': json_int(s.get('droppedLinksCount') or 0),
                'flags': json_int(s.get('flags') or 0),
                'status': [{'message': status.get('message') or '', 'code': json_enum(status.get('code') or 0, 'STATUS_CODE_', STATUSES)}]}

    def scope_spans(self, ss):
        scope = ss.get('scope') or ss.get('instrumentationLibrary') or {}
        return {'scope': [{'name': scope.get('name') or '', 'version': scope.get('version') or '',
                           'dropped': json_int(scope.get('droppedAttributesCount') or 0), 'attributes': json_attributes(scope, 'attributes')}],
                'schema_url': ss.get('schemaUrl') or '', 'spans': [self.span(s) for s in ss.get('spans') or []]}

    def resource_spans(self, rs):
        resource = rs.get('resource') or {}
        return {'resource': [{'dropped': json_int(resource.get('droppedAttributesCount') or 0),
                              'attributes': json_attributes(resource, 'attributes')}],
                'schema_url': rs.get('schemaUrl') or '', 'old_scopes': [],
                'scopes': [self.scope_spans(ss) for ss in (rs.get('scopeSpans') or []) + (rs.get('instrumentationLibrarySpans') or [])]}

    def request(self, document):
        return flat([self.resource_spans(rs) for rs in document.get('resourceSpans') or []])


def camel(pairs):
    """Field names as protobuf has them, snake_case, are allowed too."""
    return {re.sub('_([a-z])', lambda m: m[1].upper(), name): value for name, value in pairs}


def parse_json(raw):
    return json.loads(raw, object_pairs_hook=camel, parse_int=lambda digits: -0.0 if digits == '-0' else int(digits))


def from_json(raw):
    try:
        document = parse_json(raw)
    except ValueError as e:
        raise Malformed(str(e))
    if not isinstance(document, dict) or document and 'resourceSpans' not in document:
        raise Malformed('not an OTLP request')
    return JsonReader().request(document)


# ---- writing OTLP/JSON ----

def any_json(value):
    kind, v = value
    if kind == 'empty':
        return {}
    if kind == 'int':
        return {'intValue': str(v)}
    if kind == 'double':
        d = double_of(v)
        special = {'nan': 'NaN', 'inf': 'Infinity', '-inf': '-Infinity'}.get(str(d))
        return {'doubleValue': special or d}
    if kind == 'array':
        return {'arrayValue': {'values': [any_json(m) for m in v]}}
    if kind == 'map':
        return {'kvlistValue': {'values': attributes_json(v)}}
    if kind == 'bytes':
        return {'bytesValue': base64.b64encode(v).decode()}
    return {kind + 'Value': v}


def attributes_json(attributes):
    return [{'key': k, 'value': any_json(v)} for k, v in attributes]


def span_json(s):
    return {'traceId': s['trace_id'].hex(), 'spanId': s['span_id'].hex(), 'parentSpanId': s['parent'].hex(), 'traceState': s['trace_state'],
            'name': s['name'], 'kind': s['kind'], 'startTimeUnixNano': str(s['start']), 'endTimeUnixNano': str(s['end']),
            'attributes': attributes_json(s['attributes']), 'droppedAttributesCount': s['dropped_attributes'],
            'events': [{'timeUnixNano': str(e['time']), 'name': e['name'], 'attributes': attributes_json(e['attributes']),
                        'droppedAttributesCount': e['dropped']} for e in s['events']],
            'droppedEventsCount': s['dropped_events'],
            'links': [{'traceId': l['trace_id'].hex(), 'spanId': l['span_id'].hex(), 'traceState': l['trace_state'], 'flags': l['flags'],
                       'attributes': attributes_json(l['attributes']), 'droppedAttributesCount': l['dropped']} for l in s['links']],
            'droppedLinksCount': s['dropped_links'], 'flags': s['flags'],
            'status': {'message': s['status']['message'], 'code': s['status']['code']}}


def to_json(spans):
    """One ResourceSpans for each run of spans with the same resource and scope."""
    out, last = [], None
    for resource, scope, span in spans:
        if last is None or last[0] is not resource or last[1] is not scope:
            last = (resource, scope)
            out.append({'resource': {'attributes': attributes_json(resource['attributes']), 'droppedAttributesCount': resource['dropped']},
                        'schemaUrl': resource['schema_url'],
                        'scopeSpans': [{'scope': {'name': scope['name'], 'version': scope['version'],
                                                  'attributes': attributes_json(scope['attributes']), 'droppedAttributesCount': scope['dropped']},
                                        'schemaUrl': scope['schema_url'], 'spans': []}]})
        out[-1]['scopeSpans'][0]['spans'].append(span_json(span))
    return json.dumps({'resourceSpans': out}).encode()


# ---- the text of SQL, as doc/sql.md describes it ----

ESCAPE = {i: '\\u%04x' % i for i in range(32)}
ESCAPE.update({ord('"'): '\\"', ord('\\'): '\\\\', 8: '\\b', 12: '\\f', 10: '\\n', 13: '\\r', 9: '\\t'})


def quoted(s):
    return '"' + s.translate(ESCAPE) + '"'


def double_of(bits):
    return struct.unpack('<d', struct.pack('<Q', bits))[0]


@lru_cache(maxsize=1 << 16)
def double_text(bits):
    d = double_of(bits)
    if d != d:
        return 'NaN' if bits == 0x7ff8000000000000 else 'NaN(0x%016x)' % bits
    sign = '-' if bits >> 63 else ''
    if abs(d) == float('inf'):
        return sign + 'Infinity'
    if d == 0:
        return sign + '0.0'
    _, digits, exponent = Decimal(repr(abs(d))).as_tuple()
    digits = ''.join(map(str, digits))
    exponent += len(digits) - len(digits.rstrip('0'))
    digits = digits.strip('0')
    point = len(digits) + exponent
    if -4 < point <= 15:
        if exponent >= 0:
            return sign + digits + '0' * exponent + '.0'
        if point <= 0:
            return sign + '0.' + '0' * -point + digits
        return sign + digits[:point] + '.' + digits[point:]
    return sign + digits[0] + ('.' + digits[1:] if len(digits) > 1 else '') + 'e%+03d' % (point - 1)


def value_text(value):
    kind, v = value
    if kind == 'string':
        return quoted(v)
    if kind == 'int':
        return str(v)
    if kind == 'double':
        return double_text(v)
    if kind == 'bool':
        return 'true' if v else 'false'
    if kind == 'array':
        return '[' + ', '.join(map(value_text, v)) + ']'
    if kind == 'map':
        return attributes_text(v)
    return 'null' if kind == 'empty' else 'x"%s"' % v.hex()


def attributes_text(attributes):
    return '{' + ', '.join([quoted(k) + ': ' + value_text(v) for k, v in attributes]) + '}'


def event_text(e):
    return '{"time": %d, "name": %s, "dropped": %d, "attributes": %s}' % (
        e['time'], quoted(plain(e['name'])), e['dropped'], attributes_text(e['attributes']))


def link_text(l):
    return '{"trace_id": "%s", "span_id": "%s", "trace_state": %s, "flags": %d, "dropped": %d, "attributes": %s}' % (
        l['trace_id'].hex(), l['span_id'].hex(), quoted(plain(l['trace_state'])), l['flags'], l['dropped'], attributes_text(l['attributes']))


def plain(text):
    """Text columns cannot hold NUL."""
    return text.replace('\0', '\ufffd')


def word(number, words):
    return words[number] if 0 <= number < len(words) else str(number)


def service(resource):
    for key, (kind, value) in resource['attributes']:
        if key == 'service.name':
            return plain(value) if kind == 'string' else ''
    return ''


# Columns in the order of row(); start is in unix nanoseconds.
COLUMNS = ('tenant', 'trace_id', 'span_id', 'parent_span_id', 'name', 'kind', 'status', 'status_message', 'start', 'duration_ns', 'service',
           'attributes', 'resource_attributes', 'scope_attributes', 'scope_name', 'scope_version', 'trace_state', 'events', 'links', 'flags',
           'dropped_attributes_count', 'dropped_events_count', 'dropped_links_count', 'resource_dropped_attributes_count',
           'scope_dropped_attributes_count', 'resource_schema_url', 'scope_schema_url')

COPY_ESCAPE = str.maketrans({'\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r', '\b': '\\b', '\f': '\\f', '\v': '\\v'})


def cached(holder, name, make):
    if name not in holder:
        holder[name] = make()
    return holder[name]


def row(tenant, resource, scope, s):
    """The span as a line of COPY's text format."""
    values = (
        tenant, s['trace_id'].hex(), s['span_id'].hex(), s['parent'].hex() if any(s['parent']) else None, plain(s['name']),
        word(s['kind'], KINDS), word(s['status']['code'], STATUSES), plain(s['status']['message']), str(s['start']),
        str(signed(s['end'] - s['start'], 64)), cached(resource, 'service', lambda: service(resource)), attributes_text(s['attributes']),
        cached(resource, 'text', lambda: attributes_text(resource['attributes'])),
        cached(scope, 'text', lambda: attributes_text(scope['attributes'])), plain(scope['name']), plain(scope['version']),
        plain(s['trace_state']), '[' + ', '.join(map(event_text, s['events'])) + ']', '[' + ', '.join(map(link_text, s['links'])) + ']',
        str(s['flags']), str(s['dropped_attributes']), str(s['dropped_events']), str(s['dropped_links']), str(resource['dropped']),
        str(scope['dropped']), plain(resource['schema_url']), plain(scope['schema_url']))
    return '\t'.join(['\\N' if v is None else v.translate(COPY_ESCAPE) for v in values])
