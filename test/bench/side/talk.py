"""Conversations with the systems under test: psql, HTTP, and the CPU their processes spend."""
import http.client
import json
import os
import re
import socket
import subprocess
import time
import urllib.parse

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A statement or request failed; the message says which and why."""


def schedstat_ms(pid):
    """CPU of one process that lives, exact to the microsecond; of one that is gone, 0."""
    try:
        with open(f"/proc/{pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e6
    except (OSError, IndexError):
        return 0.0


class ServerCpu:
    """CPU of a postmaster and all it started, also of what has ended."""

    def __init__(self, postmaster):
        self.postmaster = postmaster

    def children(self):
        with open(f"/proc/{self.postmaster}/task/{self.postmaster}/children") as f:
            return f.read().split()

    def total_ms(self):
        with open(f"/proc/{self.postmaster}/stat") as f:
            ended = f.read().rpartition(")")[2].split()[13:15]
        living = sum(schedstat_ms(p) for p in [self.postmaster, *self.children()])
        return living + sum(map(int, ended)) * 1000 / TICK

    def wait_idle(self):
        """Until three seconds pass with less than 2% of a core spent."""
        while True:
            before = self.total_ms()
            time.sleep(3)
            if self.total_ms() - before < 60:
                return

    def peak_bytes(self, title):
        """The largest memory, shared buffers left out, of a living process with this word in its title."""
        peak = 0
        for pid in self.children():
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    if title not in f.read():
                        continue
                with open(f"/proc/{pid}/status") as f:
                    sizes = dict(re.findall(r"(\w+):\s+(\d+) kB", f.read()))
            except OSError:
                continue
            peak = max(peak, (int(sizes["RssAnon"])) * 1024)
        return peak


class Psql:
    """A session of psql that stays; the server is given by the PG* variables."""

    def __init__(self):
        command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.process.stdin.write("\\timing on\n")
        self.run("SET timezone = 'UTC'; SET client_min_messages = warning")

    def timed(self, sql):
        """Rows as lists of strings, and the milliseconds psql saw."""
        self.process.stdin.write(sql + "\n;\n\\echo @@end :ERROR\n")
        self.process.stdin.flush()
        lines, ms = [], 0.0
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.startswith("@@end"):
                if line != "@@end false":
                    raise Failed(f"{sql}\n" + "\n".join(lines))
                return [row.split("\t") for row in lines if row != ""], ms
            found = re.match(r"Time: ([0-9.]+) ms", line)
            if found:
                ms += float(found.group(1))
            else:
                lines.append(line)
        raise Failed(f"psql ended at: {sql}")

    def run(self, sql):
        return self.timed(sql)[0]

    def value(self, sql):
        return self.run(sql)[0][0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def wait_listening(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Failed(f"nobody listens on port {port}")


class Http:
    """One connection that is kept."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def timed(self, path, parameters):
        begin = time.monotonic()
        self.connection.request("GET", path + "?" + urllib.parse.urlencode(parameters), headers={"Accept": "application/json"})
        response = self.connection.getresponse()
        body = response.read()
        ms = (time.monotonic() - begin) * 1000
        if response.status != 200:
            raise Failed(f"{path} {parameters}: HTTP {response.status}: {body[:300]!r}")
        return json.loads(body), ms


class ClickHouseProcess:
    """clickhouse.js in a process of its own."""

    def __init__(self, directory, modules):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clickhouse.js")
        self.process = subprocess.Popen(["node", script, directory, modules], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line == "":
            raise Failed(f"ClickHouse ended at: {request}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{request}\n{answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
