#!/usr/bin/env python3
"""sender.py PORT SENDER JOURNAL STOP-FILE [SPANS [DAYS [PAUSE-MS]]]

One client that sends OTLP/HTTP until STOP-FILE exists, through crashes of the server, and keeps the numbers of the
requests that were acknowledged, one a line, in JOURNAL. No request is sent twice: after a failure the next one
has new ids. Span ids are SENDER + 1 (16 bits), request (32), span + 1 (16); four requests share a trace, a
request's spans are spread over DAYS days. The last line is "sent N acknowledged N refused N".
"""
import hashlib
import http.client
import os
import struct
import sys
import time

START = 1700006400 * 10**9
DAY = 86400 * 10**9


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(key, value):
    value = b'\x18' + varint(value) if isinstance(value, int) else field(1, value.encode())
    return field(1, key.encode()) + field(2, value)


def request(sender, number, spans, days):
    trace = hashlib.md5(b'%d/%d' % (sender, number // 4)).digest()
    out = []
    for i in range(spans):
        start = START + (i % days) * DAY + number * 1000 + i
        span = (field(1, trace) + field(2, struct.pack('>HIH', sender + 1, number, i + 1)) + field(5, b'operation %d' % (i % 7)) +
                b'\x39' + struct.pack('<Q', start) + b'\x41' + struct.pack('<Q', start + 1000 + i) +
                field(9, attribute('request', number)) + field(9, attribute('text', 'x' * (number % 50))))
        if i > 0:
            span += field(4, struct.pack('>HIH', sender + 1, number, i))
        out.append(field(2, span))
    resource = field(1, field(1, attribute('service.name', 'sender-%d' % sender)))
    return field(1, resource + field(2, b''.join(out)))


def main():
    port, sender = int(sys.argv[1]), int(sys.argv[2])
    journal, stop = open(sys.argv[3], 'w'), sys.argv[4]
    given = [int(v) for v in sys.argv[5:8]]
    spans, days, pause = given + [20, 1, 0][len(given):]
    counts = {'sent': 0, 'acknowledged': 0, 'refused': 0}
    connection = None
    number = 0
    while not os.path.exists(stop):
        try:
            if connection is None:
                connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
                connection.connect()
            number += 1
            counts['sent'] += 1
            connection.request('POST', '/v1/traces', request(sender, number, spans, days), {'Content-Type': 'application/x-protobuf'})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            if connection is not None:
                connection.close()
            connection = None
            time.sleep(0.02)
            continue
        # a partial success has something to say
        if answer.status == 200 and body == b'':
            journal.write('%d\n' % number)
            journal.flush()
            counts['acknowledged'] += 1
        else:
            counts['refused'] += 1
            time.sleep(0.02)
        time.sleep(pause / 1000)
    journal.close()
    print('sent %(sent)d acknowledged %(acknowledged)d refused %(refused)d' % counts)


if __name__ == '__main__':
    main()
