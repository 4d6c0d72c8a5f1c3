#!/usr/bin/env python3
"""table.py RESULT...: prints what run.py measured: a table a run, and growth between runs of one variant."""
import json
import sys

SYSTEMS = {"tempo": "tempo", "heap": "heap", "ch_map": "CH Map", "ch_json": "CH JSON"}
COLUMNS = {"traceql": "TraceQL", "sql": "SQL", "heap": "heap", "ch_map": "CH Map", "ch_json": "CH JSON"}
WHAT = {"wall_ms": "wall, ms", "cpu_ms": "CPU, ms"}
OURS, CLICKHOUSE = ("traceql", "sql"), ("ch_map", "ch_json")


def show(value, digits=1):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.{digits}f}"


def title(run):
    days = "1 partition" if run["days"] == 1 else f"{run['days']} partitions"
    return f"{run['variant']}, {run['spans']:,} spans, {days}"


def print_rows(head, rows):
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def load_rows(run):
    """What loading and merging cost."""
    def row(name, of, digits=1):
        return [name] + [show(of(run["systems"][s]), digits) for s in run["systems"]]

    best = min((run["systems"][s]["bytes"] for s in CLICKHOUSE if s in run["systems"]), default=None)
    rows = [
        row("spans a second, wall", lambda s: s["load"]["spans_per_second"]),
        row("CPU until all is answered, us a span", lambda s: s["load"]["cpu_us_until_answered"], 2),
        row("CPU until idle, us a span", lambda s: s["load"]["cpu_us"], 2),
        row("CPU of the last merge, us a span", lambda s: s["merge"]["cpu_us"], 2),
        row("99th percentile of an answer, ms", lambda s: s["load"].get("p99_ms")),
        row("WAL of loading, bytes a span", lambda s: s["load"].get("wal")),
        row("WAL of the last merge, bytes a span", lambda s: s["merge"].get("wal")),
        row("bytes a span as received", lambda s: s["bytes_as_received"]),
        row("bytes a span merged", lambda s: s["bytes"]),
    ]
    if best and "tempo" in run["systems"]:
        rows.append(["  times the smaller ClickHouse"] + [show(s["bytes"] / best, 2) for s in run["systems"].values()])
    if "ch_json" in run["systems"]:
        json_bytes = run["systems"]["ch_json"]["bytes"]
        rows.append(["  times ClickHouse with JSON"] + [show(s["bytes"] / json_bytes, 2) for s in run["systems"].values()])
    return ["" ] + [SYSTEMS[s] for s in run["systems"]], rows


def fastest(timed, columns, what):
    return min((timed[c][what] for c in columns if c in timed), default=None)


def ratio(timed, what):
    """Times faster than the faster ClickHouse, by the faster of our two ways."""
    ours, theirs = fastest(timed, OURS, what), fastest(timed, CLICKHOUSE, what)
    return None if ours is None or theirs is None else theirs / max(ours, 1e-3)


def query_rows(run, what):
    columns = [c for c in COLUMNS if any(c in t for t in run["classes"].values())]
    rows = [[name] + [show(t[c][what] if c in t else None) for c in columns] + [show(ratio(t, what), 2)]
            for name, t in run["classes"].items()]
    return [WHAT[what]] + [COLUMNS[c] for c in columns] + ["ratio"], rows


def print_run(run):
    print(f"\n== {title(run)}; {run['cores']} cores\n")
    print_rows(*load_rows(run))
    for what in WHAT:
        print()
        print_rows(*query_rows(run, what))
    behind = [(name, ratio(t, "wall_ms")) for name, t in run["classes"].items() if (ratio(t, "wall_ms") or 1) < 1]
    if any(c in t for t in run["classes"].values() for c in CLICKHOUSE):
        print(f"\nbehind ClickHouse: " + (", ".join(f"{n} ({1 / r:.1f}x)" for n, r in sorted(behind, key=lambda b: b[1])) or "nowhere"))
    print(f"answers that differ: {len(run['differences'])}")


def print_growth(runs, column, what):
    """The first run of a variant beside the others: how each figure of ours grows."""
    base, others = runs[0], runs[1:]
    rows = []
    for name, timed in base["classes"].items():
        if column in timed:
            first = timed[column][what]
            rows.append([name, show(first)] + [
                f"{show(r['classes'][name][column][what])} ({r['classes'][name][column][what] / max(first, 1e-3):.1f}x)" for r in others])
    print(f"\n== growth, {base['variant']}, {COLUMNS[column]}\n")
    print_rows([WHAT[what]] + [title(r).partition(", ")[2] for r in runs], rows)


def main():
    runs = [json.load(open(path)) for path in sys.argv[1:]]
    for run in runs:
        print_run(run)
    for variant in dict.fromkeys(r["variant"] for r in runs):
        same = [r for r in runs if r["variant"] == variant]
        if len(same) > 1 and all("tempo" in r["systems"] for r in same):
            for column in OURS:
                for what in WHAT:
                    print_growth(same, column, what)
    print("\nTraceQL over HTTP, whole answer read; SQL in psql; ClickHouse in process (CH). Medians of warm rounds in turns. "
          "ratio: the faster ClickHouse over the faster of TraceQL and SQL; above 1 tempo is faster.")


if __name__ == "__main__":
    main()
