#!/usr/bin/env python3
"""One run: makes the workload, loads it into each system, asks every class of queries of all of them in turns.

usage: run.py --spans N --variant shop|wide --days D --systems tempo,heap,clickhouse --bin DIR --work DIR
              --modules DIR --out FILE [--seed S] [--rounds R]

The PG* variables say where the server is. Exits with 1 when answers differ. What it measured goes to FILE as JSON.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time

from classes import Attributes, classes, for_table
from systems import Heap, Tempo, clickhouse_systems
from talk import Failed

FIRST_DAY = 1735689600  # 2025-01-01
MAX_INTERVALS = 1000  # of a rate
PATIENCE_MS = 4000  # of one class on one system; beyond, two rounds have to do
# Seconds that a request over HTTP may ask about; beyond, traceql() and traceql_metrics() are asked, which have no limit.
MAX_SEARCH_RANGE, MAX_METRICS_RANGE = 168 * 3600, 24 * 3600


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--spans", type=int, required=True)
    p.add_argument("--variant", choices=["shop", "wide"], required=True)
    p.add_argument("--days", type=int, required=True)
    p.add_argument("--systems", required=True)
    p.add_argument("--bin", required=True, help="where workload and send are")
    p.add_argument("--work", required=True, help="for the files of the workload and of ClickHouse")
    p.add_argument("--modules", required=True, help="where npm installed ClickHouse")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seed", type=int, default=3)
    p.add_argument("--out", required=True)
    return p.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_workload(a, forms):
    """The files of each form, and what the generator says of them."""
    files = {form: os.path.join(a.work, f"load.{form}") for form in forms}
    command = [os.path.join(a.bin, "workload"), "--spans", str(a.spans), "--seed", str(a.seed), "--days", str(a.days),
               "--first-day", str(FIRST_DAY)] + (["--wide"] if a.variant == "wide" else [])
    for form, path in files.items():
        command += [f"--{form}", path]
    meta = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return files, {**meta, "wide": a.variant == "wide"}


def open_systems(a):
    """Those asked for; ClickHouse only where it could be installed."""
    wanted = a.systems.split(",")
    systems = [s(a.bin) for s in (Tempo, Heap) if s.name in wanted]
    engine = None
    if "clickhouse" in wanted:
        if os.path.isdir(os.path.join(a.modules, "node_modules", "chdb")):
            engine, more = clickhouse_systems(a.work, a.modules)
            systems += more
        else:
            say("ClickHouse is not installed: the run goes on without it")
    return systems, engine


def load(a, system, files, meta):
    spans = meta["spans"]
    took = system.load(files, spans, FIRST_DAY, a.days)
    as_received = system.size() / spans
    merge = system.merge(spans)
    if system.total() != spans:
        raise Failed(f"{system.name} holds {system.total()} of {spans} spans")
    for form in system.forms:
        os.unlink(files[form])
    say(f"  {system.name}: {took['spans_per_second']:,.0f} spans/s, {took['cpu_us']:.1f} us/span, {system.size() / spans:.1f} bytes/span")
    return {"load": took, "merge": merge, "bytes_as_received": as_received, "bytes": system.size() / spans}


def normal(cell):
    """Times and floats of different systems in one spelling."""
    cell = re.sub(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)?(\+00)?$",
                  lambda m: m.group(1) + (m.group(2) or "").rstrip("0").rstrip("."), cell)
    cell = re.sub(r"^\\x([0-9a-f]+)$", r"\1", cell)
    if re.fullmatch(r"-?\d{1,18}\.\d+(e[-+]?\d+)?", cell):
        return f"{float(cell):.9g}"
    return cell


class Asker:
    """Asks one class of each system in each way it knows; an answer is comparable rows and a value."""

    def __init__(self, meta, step, days):
        self.step, self.days = step, days
        self.window = {"start": str(meta["first_ns"] // 10**9 // step * step - step),
                       "end": str((meta["last_ns"] // 10**9 // step + 2) * step)}

    def ways(self, cls, system):
        """(column of the table, function that gives an answer, wall and CPU milliseconds)"""
        if system.name == "tempo" and cls.http:
            yield "traceql", lambda: self.traceql(cls, system)
        if system.name.startswith("ch_") and cls.clickhouse:
            yield system.name, lambda: self.rows(cls, system, cls.clickhouse(system.table, Attributes(system.name == "ch_json")))
        elif system.name == "heap" and cls.heap:
            yield "heap", lambda: self.rows(cls, system, for_table(cls.heap, "heap.spans", True))
        elif system.name == "tempo" and cls.sql:
            yield "sql", lambda: self.rows(cls, system, for_table(cls.sql, "tempo.spans", False))

    def rows(self, cls, system, text):
        rows, wall, cpu = system.sql(text)
        compared = sorted([normal(c) for c in r[:cls.compare]] for r in rows) if cls.compare else None
        value = cls.sql_value(rows) if cls.sql_value else None
        return {"rows": compared, "value": value, "n": len(rows)}, wall, cpu

    def traceql(self, cls, system):
        path, parameters = cls.http
        seconds = int(self.window["end"]) - int(self.window["start"])
        if path.startswith("/api/metrics") and seconds > MAX_METRICS_RANGE:
            return self.traceql_metrics(cls, system, parameters["q"])
        if path == "/api/search" and seconds > MAX_SEARCH_RANGE:
            return self.traceql_search(cls, system, parameters)
        if path.startswith("/api/metrics"):
            parameters = {**parameters, "step": f"{self.step}s"}
        if not path.startswith("/api/v2/traces"):
            parameters = {**parameters, **self.window}
        answer, wall, cpu = system.http(path, parameters)
        value = cls.http_value(answer, self.step) if cls.http_value else None
        return {"rows": None, "value": value, "n": sum(len(v) for v in answer.values() if isinstance(v, list))}, wall, cpu

    def traceql_search(self, cls, system, parameters):
        quoted = parameters["q"].replace("'", "''")
        rows, wall, cpu = system.sql(f"SELECT DISTINCT trace_id FROM traceql('{quoted}', max_traces => {parameters['limit']})")
        value = cls.http_value({"traces": rows}, self.step) if cls.http_value else None
        return {"rows": None, "value": value, "n": len(rows)}, wall, cpu

    def traceql_metrics(self, cls, system, q):
        quoted = q.replace("'", "''")
        rows, wall, cpu = system.sql(f"SELECT series, value FROM traceql_metrics('{quoted}', to_timestamp({self.window['start']}), "
                                     f"to_timestamp({self.window['end']}), '{self.step} s') WHERE value <> 0")
        by_series = {}
        for series, value in rows:
            by_series.setdefault(series, []).append({"value": float(value)})
        answer = {"series": [{"samples": s} for s in by_series.values()]}
        value = cls.http_value(answer, self.step) if cls.http_value else None
        return {"rows": None, "value": value, "n": len(by_series)}, wall, cpu


def ask_class(asker, cls, systems, rounds):
    """Rounds in turns; the first warms up and is not counted."""
    ways = [way for system in systems for way in asker.ways(cls, system)]
    walls, cpus, answers = {}, {}, {}
    for round in range(rounds + 1):
        for column, ask in ways:
            if len(walls.get(column, [])) >= 2 and sum(walls[column]) > PATIENCE_MS:
                continue
            answers[column], wall, cpu = ask()
            if round > 0:
                walls.setdefault(column, []).append(wall)
                cpus.setdefault(column, []).append(cpu)
    timed = {c: {"wall_ms": statistics.median(walls[c]), "cpu_ms": statistics.mean(cpus[c]), "rows": answers[c]["n"]} for c in walls}
    return timed, answers


def differences(cls, answers):
    """What in the answers does not agree."""
    found = []
    speak_sql = [c for c in answers if answers[c]["rows"] is not None]
    for column in speak_sql[1:]:
        if answers[column]["rows"] != answers[speak_sql[0]]["rows"]:
            a, b = answers[speak_sql[0]]["rows"], answers[column]["rows"]
            only = [r for r in a if r not in b][:2], [r for r in b if r not in a][:2]
            found.append(f"{cls.name}: {speak_sql[0]} has {len(a)} rows, {column} {len(b)}; only there: {only[0]}; only here: {only[1]}")
    values = {c: answers[c]["value"] for c in answers if answers[c]["value"] is not None}
    if len(set(values.values())) > 1:
        found.append(f"{cls.name}: {values}")
    return found


def ask_all(a, systems, meta):
    range_s = (meta["last_ns"] - meta["first_ns"]) / 1e9
    step = 5 * max(1, math.ceil(range_s / 5 / MAX_INTERVALS))
    asker = Asker(meta, step, a.days)
    results, wrong = {}, []
    for cls in classes(meta, step):
        timed, answers = ask_class(asker, cls, systems, a.rounds)
        results[cls.name] = timed
        wrong += differences(cls, answers)
        say(f"  {cls.name}: " + ", ".join(f"{c} {t['wall_ms']:.1f}" for c, t in timed.items()))
    return {"step": step, "classes": results, "differences": wrong}


def main():
    a = arguments()
    systems, engine = open_systems(a)
    out = {"spans": a.spans, "variant": a.variant, "days": a.days, "cores": os.cpu_count(), "systems": {}}
    say(f"== {a.variant}, {a.spans:,} spans, {a.days} days")
    try:
        for system in systems:
            files, meta = make_workload(a, system.forms)
            out["meta"] = meta
            out["systems"][system.name] = load(a, system, files, meta)
        out["otlp_bytes"] = next((s["otlp_bytes"] for s in [out["meta"]]), 0)
        out.update(ask_all(a, systems, out["meta"]))
    finally:
        for system in systems:
            if hasattr(system, "close"):
                system.close()
        if engine:
            engine.close()
    with open(a.out, "w") as f:
        json.dump(out, f, indent=1)
    for line in out["differences"]:
        say(f"answers differ: {line}")
    return 1 if out["differences"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as e:
        say(f"error: {e}")
        sys.exit(1)
