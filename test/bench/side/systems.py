"""The systems: how each is loaded, how large it is then, and how it is asked.

Every system has name, forms (of the workload that it needs), load(files), merge(), size() and total(); loading and
merging say what they took. Spans are compared through the queries of classes.py.
"""
import json
import os
import subprocess
import time

from talk import ClickHouseProcess, Failed, Http, Psql, ServerCpu, wait_listening


def loaded(spans, begin, begin_cpu, end, end_cpu, done_cpu, **more):
    return {"spans_per_second": spans / (end - begin), "cpu_us": (done_cpu - begin_cpu) * 1000 / spans,
            "cpu_us_until_answered": (end_cpu - begin_cpu) * 1000 / spans, **more}


class Postgres:
    """What the two tables in PostgreSQL share."""

    def __init__(self, bin):
        self.bin = bin
        self.psql = Psql()
        postmaster = self.psql.value("SELECT pg_read_file('postmaster.pid')")
        self.cpu = ServerCpu(int(postmaster))

    def lsn(self):
        return self.psql.value("SELECT pg_current_wal_insert_lsn()")

    def wal_since(self, lsn):
        return int(self.psql.value(f"SELECT (pg_current_wal_insert_lsn() - '{lsn}')::bigint"))

    def relation_bytes(self, table):
        return int(self.psql.value(f"SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')"))

    def sql(self, text):
        """Rows, wall and CPU milliseconds."""
        before = self.cpu.total_ms()
        rows, ms = self.psql.timed(text)
        return rows, ms, self.cpu.total_ms() - before

    def close(self):
        self.psql.close()


class Tempo(Postgres):
    name = "tempo"
    forms = ["otlp"]

    def __init__(self, bin):
        super().__init__(bin)
        self.psql.run("CREATE EXTENSION IF NOT EXISTS tempo; SELECT tempo.init()")
        self.receiver, self.api = (int(self.psql.value(f"SHOW tempo.{p}")) for p in ("otlp_http_port", "http_port"))
        self.connection = None  # made for the first query: the server closes idle ones
        wait_listening(self.receiver)
        wait_listening(self.api)

    def load(self, files, spans, first_day, days):
        lsn, begin_cpu, begin = self.lsn(), self.cpu.total_ms(), time.monotonic()
        sent = subprocess.run([os.path.join(self.bin, "send"), "--port", str(self.receiver), files["otlp"]],
                              stdout=subprocess.PIPE, text=True)
        if sent.returncode != 0:
            raise Failed("the receivers did not take the workload")
        end, end_cpu = time.monotonic(), self.cpu.total_ms()
        self.cpu.wait_idle()
        return loaded(spans, begin, begin_cpu, end, end_cpu, self.cpu.total_ms(), wal=self.wal_since(lsn) / spans,
                      p99_ms=json.loads(sent.stdout)["p99_ms"])

    def merge(self, spans):
        lsn, before, begin = self.lsn(), self.cpu.total_ms(), time.monotonic()
        self.psql.run("SELECT tempo_merge(NULL)")
        merged = {"cpu_us": (self.cpu.total_ms() - before) * 1000 / spans, "seconds": time.monotonic() - begin,
                  "wal": self.wal_since(lsn) / spans}
        self.psql.run("VACUUM")
        self.psql.run("ANALYZE tempo.spans")
        return merged

    def size(self):
        return self.relation_bytes("tempo.spans")

    def total(self):
        return int(self.psql.value("SELECT count(*) FROM tempo.spans"))

    def http(self, path, parameters):
        self.connection = self.connection or Http(self.api)
        before = self.cpu.total_ms()
        answer, ms = self.connection.timed(path, parameters)
        return answer, ms, self.cpu.total_ms() - before


HEAP = """
CREATE SCHEMA heap;
CREATE TABLE heap.spans (
    trace_id bytea NOT NULL, span_id bytea NOT NULL, parent_span_id bytea, name text NOT NULL, kind text NOT NULL,
    status text NOT NULL, status_message text NOT NULL, start_time timestamptz NOT NULL, start_ns smallint NOT NULL,
    duration_ns bigint NOT NULL, service text NOT NULL, scope_name text NOT NULL, attributes jsonb NOT NULL,
    resource_attributes jsonb NOT NULL, events jsonb NOT NULL
) PARTITION BY RANGE (start_time);
CREATE INDEX ON heap.spans (trace_id);
CREATE INDEX ON heap.spans (service, start_time);
CREATE INDEX ON heap.spans USING brin (start_time);
CREATE INDEX ON heap.spans USING gin (attributes jsonb_path_ops);
"""


class Heap(Postgres):
    """A heap as one would make it by hand: jsonb, and indexes for ids, services, times and attributes."""
    name = "heap"
    forms = ["copy"]

    def load(self, files, spans, first_day, days):
        self.psql.run(HEAP)
        for day in range(days):
            low, high = (time.strftime("%Y-%m-%d", time.gmtime(first_day + d * 86400)) for d in (day, day + 1))
            self.psql.run(f"CREATE TABLE heap.day_{day} PARTITION OF heap.spans FOR VALUES FROM ('{low}') TO ('{high}')")
        lsn, begin_cpu, begin = self.lsn(), self.cpu.total_ms(), time.monotonic()
        with open(files["copy"], "rb") as f:
            copied = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "COPY heap.spans FROM STDIN"], stdin=f)
        if copied.returncode != 0:
            raise Failed("COPY into the heap failed")
        end, end_cpu = time.monotonic(), self.cpu.total_ms()
        self.cpu.wait_idle()
        return loaded(spans, begin, begin_cpu, end, end_cpu, self.cpu.total_ms(), wal=self.wal_since(lsn) / spans)

    def merge(self, spans):
        lsn, before, begin = self.lsn(), self.cpu.total_ms(), time.monotonic()
        self.psql.run("VACUUM ANALYZE heap.spans")
        return {"cpu_us": (self.cpu.total_ms() - before) * 1000 / spans, "seconds": time.monotonic() - begin,
                "wal": self.wal_since(lsn) / spans}

    def size(self):
        return self.relation_bytes("heap.spans")

    def total(self):
        return int(self.psql.value("SELECT count(*) FROM heap.spans"))


# The tables of the OpenTelemetry Collector's exporter, with its codecs, indexes and sort key; {type} is that of its
# attributes. No span of the workload has links, so those columns stay empty. Parts below 64 MB are compact (default:
# 10 MB), because a part of the wide variant with JSON is some 3,000 files otherwise, and a merge opens many parts.
EXPORTER_TABLE = """
CREATE TABLE {table} (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)), TraceState String CODEC(ZSTD(1)), SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)), ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes {type} CODEC(ZSTD(1)), ScopeName String CODEC(ZSTD(1)), ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes {type} CODEC(ZSTD(1)), Duration UInt64 CODEC(ZSTD(1)), StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes {type}) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes {type}) CODEC(ZSTD(1)),
    {indexes}
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY ({order}) SETTINGS index_granularity = 8192, min_bytes_for_wide_part = 67108864
"""
MAP_INDEXES = """
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
"""
TRACE_TABLE = """
CREATE TABLE {table}_trace_id_ts (TraceId String CODEC(ZSTD(1)), Start DateTime CODEC(Delta, ZSTD(1)),
    End DateTime CODEC(Delta, ZSTD(1)), INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1)
    ENGINE = MergeTree PARTITION BY toDate(Start) ORDER BY (TraceId, Start)
"""
TRACE_VIEW = """
CREATE MATERIALIZED VIEW {table}_trace_id_ts_mv TO {table}_trace_id_ts AS
    SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM {table} WHERE TraceId != '' GROUP BY TraceId
"""
# What write_clickhouse.c writes.
ROW = ("Timestamp DateTime64(9), TraceId String, SpanId String, ParentSpanId String, SpanName String, SpanKind String, "
       "ServiceName String, ResourceAttributes {type}, ScopeName String, ScopeVersion String, SpanAttributes {type}, "
       "Duration UInt64, StatusCode String, StatusMessage String, `Events.Timestamp` Array(DateTime64(9)), "
       "`Events.Name` Array(String), `Events.Attributes` Array({type})")
COLUMNS = ("Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName, "
           "ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage, `Events.Timestamp`, `Events.Name`, "
           "`Events.Attributes`")


class ClickHouse:
    """In process, from ready rows: no OTLP to decode, no network, no fsync; in inserts of the size of a request."""

    def __init__(self, engine, table, type, indexes, order, form):
        self.engine, self.name, self.table, self.type, self.forms = engine, table, table, type, [form]
        self.indexes, self.order = indexes, order

    def load(self, files, spans, first_day, days):
        make = {"table": self.table, "type": self.type, "indexes": self.indexes, "order": self.order}
        for statement in (EXPORTER_TABLE, TRACE_TABLE, TRACE_VIEW):
            self.engine.ask(statement.format(**make))
        path = os.path.abspath(files[self.forms[0]])
        begin_cpu, begin = self.cpu_total(), time.monotonic()
        self.engine.ask(
            f"INSERT INTO {self.table} ({COLUMNS}) SELECT * FROM file('{path}', RowBinary, '{ROW.format(type=self.type)}') "
            "SETTINGS max_block_size = 8192, max_insert_block_size = 8192, min_insert_block_size_rows = 8192, "
            "min_insert_block_size_bytes = 0, input_format_binary_read_json_as_string = 1, max_insert_threads = 1")
        end, end_cpu = time.monotonic(), self.cpu_total()
        self.wait_idle()
        return loaded(spans, begin, begin_cpu, end, end_cpu, self.cpu_total())

    def merge(self, spans):
        before, begin = self.cpu_total(), time.monotonic()
        self.engine.ask(f"OPTIMIZE TABLE {self.table} FINAL")
        return {"cpu_us": (self.cpu_total() - before) * 1000 / spans, "seconds": time.monotonic() - begin}

    def size(self):
        """Of the spans alone: the exporter's second table, of trace times, is left out."""
        return int(self.engine.ask(
            f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{self.table}'")["text"])

    def total(self):
        return int(self.engine.ask(f"SELECT count() FROM {self.table}")["text"])

    def cpu_total(self):
        return self.engine.ask({})["cpu_ms"]

    def wait_idle(self):
        while True:
            before = self.cpu_total()
            time.sleep(3)
            if self.cpu_total() - before < 60:
                return

    def sql(self, text):
        answer = self.engine.ask(text)
        rows = [line.split("\t") for line in answer["text"].split("\n") if line != ""]
        return rows, answer["wall_ms"], answer["cpu_ms"]


def clickhouse_systems(work, modules):
    """Both ways of the exporter to store attributes, in one process; raises Failed when there is no module."""
    engine = ClickHouseProcess(os.path.join(work, "clickhouse"), modules)
    engine.ask("SET use_query_cache = 0")
    engine.ask("SET use_query_condition_cache = 0")
    order = "ServiceName, SpanName, toDateTime(Timestamp)"
    return engine, [
        ClickHouse(engine, "ch_map", "Map(LowCardinality(String), String)", MAP_INDEXES, order, "clickhouse-map"),
        ClickHouse(engine, "ch_json", "JSON", "", order + ", Timestamp", "clickhouse-json"),
    ]
