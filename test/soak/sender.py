#!/usr/bin/env python3
"""sender.py PORT SENDER JOURNAL STOP-FILE SPANS-A-SECOND

A client that sends OTLP/HTTP until STOP-FILE exists, through crashes of the server, at about that rate. All spans of
a request start within one second: in the months before for the first twenty, then now for most, five minutes ago for
10%, hours ago for 1%, days or weeks ago for 0.1%, and for two in ten thousand in 1970 or a year from now. 2% are sent
twice, under another service. Two requests share a trace.

Each line of JOURNAL is a request's number and what is known of it:
  s NUMBER SECOND RETRIED   about to be sent; SECOND is when its spans start, RETRIED 1 if it will be sent twice
  a NUMBER                  acknowledged
  r NUMBER                  acknowledged with a partial success: every span was rejected
  u NUMBER                  no answer, or an error: it may be stored or not
Span ids are SENDER + 1 (16 bits), number (32), span + 1 (16).
"""
import hashlib
import http.client
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from sender import attribute, field  # noqa: E402

SPANS = 50
DAY = 86400


def start_second(rng, now):
    dice = rng.random()
    if dice < 0.0001:
        return rng.randrange(0, 2 * DAY)
    if dice < 0.0002:
        return now + 365 * DAY
    if dice < 0.0004:
        return now - rng.randrange(40, 80) * DAY
    if dice < 0.0012:
        return now - rng.randrange(1, 10) * DAY
    if dice < 0.0112:
        return now - rng.randrange(3600, 6 * 3600)
    if dice < 0.1112:
        return now - 300
    return now


def request(sender, number, second, retried):
    """The bytes of a request; the same every time."""
    trace = hashlib.md5(b'soak %d/%d' % (sender, number // 2)).digest()
    out = []
    for i in range(SPANS):
        start = second * 10**9 + (100 + i) * 10**6 + number % 1000
        span = (field(1, trace) + field(2, struct.pack('>HIH', sender + 1, number, i + 1)) + field(5, b'operation %d' % (i % 7)) +
                b'\x39' + struct.pack('<Q', start) + b'\x41' + struct.pack('<Q', start + 1000000 * (i + 1) + number % 977) +
                field(9, attribute('request', number)) + field(9, attribute('http.route', '/items/%d' % (number * 7 % 200))) +
                field(9, attribute('id', '%016x' % (number * 2654435761 + i))))
        if i > 0:
            span += field(4, struct.pack('>HIH', sender + 1, number, 1 + (i - 1) // 3))
        out.append(field(2, span))
    name = 'retried' if retried else 'plain'
    resource = field(1, field(1, attribute('service.name', name)) + field(1, attribute('host.name', 'host-%d' % sender)))
    return field(1, resource + field(2, b''.join(out)))


class Client:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def post(self, body):
        """a, r or u."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
                self.connection.connect()
            self.connection.request('POST', '/v1/traces', body, {'Content-Type': 'application/x-protobuf'})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            time.sleep(0.5)
            return 'u'
        if answer.status != 200:
            time.sleep(0.5)
            return 'u'
        return 'r' if text else 'a'


def main():
    port, sender, journal, stop, rate = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], 'w'), sys.argv[4], float(sys.argv[5])
    rng = random.Random(sender)
    client = Client(port)
    number = 0
    due = time.time()
    while not os.path.exists(stop):
        number += 1
        # the first ones of days of the months before
        second = int(time.time()) - (35 + number * 2) * DAY if number <= 20 else start_second(rng, int(time.time()))
        retried = rng.random() < 0.02
        body = request(sender, number, second, retried)
        journal.write('s %d %d %d\n' % (number, second, retried))
        journal.flush()
        outcome = client.post(body)
        if retried:
            # whatever became of the first: as a client does that lost the answer
            again = client.post(body)
            outcome = outcome if again == 'u' else again
        journal.write('%s %d\n' % (outcome, number))
        journal.flush()
        due = max(due + SPANS / rate, time.time() - 1)
        time.sleep(max(due - time.time(), 0))
    journal.close()


if __name__ == '__main__':
    main()
