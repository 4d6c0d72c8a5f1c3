"""The classes of queries, each written for every system that can answer it.

A class is what a person asks, not a text: the newest spans of a kind, a rate by service. `traceql` goes over HTTP
(search, metrics, tags, one trace), `sql` to tempo.spans and to the heap alike ({spans} is the table), `clickhouse`
to both of its tables. {eq|key|value} and {has|key} are conditions on an attribute as each of the two answers them
best (for_table). The first `compare` columns of the answers have to agree between all that speak SQL; what an
HTTP answer has to agree with is said by `http_value` and `sql_value`.
"""
import re


def for_table(text, table, heap):
    """A query over tempo.spans or the heap; there containment is what the GIN index knows."""
    if heap:
        equals, has = r"""attributes @> '{"\1": \2}'""", r"attributes ? '\1'"
    else:
        equals, has = lambda m: f"attributes ->> '{m[1]}' = '{m[2].strip(chr(34))}'", r"attributes ->> '\1' IS NOT NULL"
    text = re.sub(r"\{eq\|([^|}]*)\|([^|}]*)\}", equals, text)
    return re.sub(r"\{has\|([^|}]*)\}", has, text).replace("{spans}", table)


class Attributes:
    """How a ClickHouse table spells an attribute of a span."""

    def __init__(self, json):
        self.json = json

    def path(self, key):
        return "SpanAttributes." + ".".join(f"`{part}`" for part in key.split("."))

    def text(self, key):
        return f"{self.path(key)}.:String" if self.json else f"SpanAttributes['{key}']"

    def number(self, key):
        return f"{self.path(key)}.:Int64" if self.json else f"toInt64OrNull(SpanAttributes['{key}'])"

    def boolean(self, key):
        return f"toString({self.path(key)}.:Bool)" if self.json else f"SpanAttributes['{key}']"

    def equals_number(self, key, value):
        """As one has to write it for the bloom filters to help."""
        return f"{self.path(key)}.:Int64 = {value}" if self.json else f"SpanAttributes['{key}'] = '{value}'"

    def has(self, key):
        return f"isNotNull({self.path(key)})" if self.json else f"mapContains(SpanAttributes, '{key}')"

    def keys(self, table):
        if self.json:
            return f"SELECT arrayJoin(distinctJSONPaths(SpanAttributes)) AS k FROM {table} ORDER BY k"
        return f"SELECT DISTINCT arrayJoin(mapKeys(SpanAttributes)) AS k FROM {table} ORDER BY k"


class Class:
    def __init__(self, name, http=None, sql=None, clickhouse=None, compare=0, http_value=None, sql_value=None, heap=None):
        self.name, self.http, self.sql, self.heap, self.clickhouse = name, http, sql, heap or sql, clickhouse
        self.compare, self.http_value, self.sql_value = compare, http_value, sql_value


def search(q, limit=20):
    return "/api/search", {"q": q, "limit": str(limit)}


def metrics(q):
    return "/api/metrics/query_range", {"q": q, "exemplars": "0"}


# What an HTTP answer comes down to, and what SQL has to say to the same.
def traces(answer, step):
    return len(answer.get("traces") or [])


def found_any(answer, step):
    return traces(answer, step) > 0


def counted(answer, step):
    """Spans behind a rate: the sum of all its points."""
    points = (s.get("value", 0) for one in answer["series"] for s in one["samples"])
    return round(sum(points) * step)


def counted_buckets(answer, step):
    return counted(answer, 1)


def series(answer, step):
    return len(answer["series"])


def any_row(rows):
    return len(rows) > 0


def sum_of(column):
    return lambda rows: sum(int(r[column]) for r in rows)


POWERS = ",".join(str(1 << n) for n in range(63))


def classes(meta, step):
    """All classes for a workload: meta is the line of JSON that came with it, step the seconds of an interval."""
    wide = meta["wide"]
    prefix = "WHERE p.tenant_id = 'a" if wide else "WHERE id = 'A"
    quoted = prefix.replace("'", "''")
    session, trace = meta["session"], meta["trace"]

    def bin(width):
        return f"date_bin('{width} s', start_time, '1970-01-01 00:00:00+00')"

    def ch_bin(width):
        return f"toStartOfInterval(Timestamp, INTERVAL {width} SECOND)"

    def newest(name, q, where, ch_where):
        """The newest 20 spans; times to the microsecond have to agree, so that ties do not matter."""
        filter = f"WHERE {where} " if where else ""
        return Class(
            name, search(q),
            f"SELECT start_time, trace_id, span_id, name, service, duration_ns FROM {{spans}} {filter}ORDER BY start_time DESC LIMIT 20",
            lambda t, a: "SELECT toDateTime64(Timestamp, 6), TraceId, SpanId, SpanName, ServiceName, Duration "
                         f"FROM {t} {'WHERE ' + ch_where(a) if ch_where else ''} ORDER BY Timestamp DESC LIMIT 20",
            1, found_any, any_row)

    def per_trace(name, q, where, having, ch_where, ch_having, limit=20):
        """The newest traces by their newest matching span."""
        return Class(
            name, search(q, limit),
            f"SELECT max(start_time) AS newest, count(*), trace_id FROM {{spans}} WHERE {where} GROUP BY trace_id {having} "
            f"ORDER BY newest DESC LIMIT {limit}",
            lambda t, a: f"SELECT toDateTime64(max(Timestamp), 6) AS newest, count(), TraceId FROM {t} WHERE {ch_where(a)} "
                         f"GROUP BY TraceId {ch_having} ORDER BY newest DESC LIMIT {limit}",
            1, traces, len)

    def rate(name, q, group, where, ch_group, ch_where, width=step, http=True):
        filter, ch_filter = (f"WHERE {where}" if where else ""), (lambda a: f"WHERE {ch_where(a)}" if ch_where else "")
        return Class(
            name, metrics(q) if http else None,
            f"SELECT {bin(width)} AS b, {group} AS g, count(*) FROM {{spans}} {filter} GROUP BY 1, 2",
            lambda t, a: f"SELECT {ch_bin(width)} AS b, {ch_group(a)} AS g, count() FROM {t} {ch_filter(a)} GROUP BY b, g",
            3, counted if http else None, sum_of(2))

    def quantiles(name, q, where, ch_where):
        """Counts agree; the quantiles themselves are exact in PostgreSQL and samples in ClickHouse."""
        return Class(
            name, metrics(q),
            f"SELECT {bin(step)} AS b, name, count(*), percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY duration_ns) "
            f"FROM {{spans}} {where} GROUP BY 1, 2",
            lambda t, a: f"SELECT {ch_bin(step)} AS b, SpanName, count(), quantiles(0.5, 0.9, 0.99)(Duration) FROM {t} {ch_where} "
                         "GROUP BY b, SpanName",
            3, series, lambda rows: 3 * len({r[1] for r in rows}))

    in_frontend = "EXISTS (SELECT FROM {spans} f WHERE f.trace_id = s.trace_id AND f.service = 'frontend')"

    def ch_in_frontend(t):
        return f"TraceId IN (SELECT TraceId FROM {t} WHERE ServiceName = 'frontend')"

    return [
        Class("trace by id", (f"/api/v2/traces/{trace}", {}),
              f"SELECT span_id, name, service, duration_ns, attributes, resource_attributes, events FROM {{spans}} WHERE trace_id = '{trace}'",
              lambda t, a: f"WITH '{trace}' AS id, (SELECT min(Start) FROM {t}_trace_id_ts WHERE TraceId = id) AS low, "
                           f"(SELECT max(End) + 1 FROM {t}_trace_id_ts WHERE TraceId = id) AS high "
                           "SELECT SpanId, SpanName, ServiceName, Duration, SpanAttributes, ResourceAttributes, Events.Attributes "
                           f"FROM {t} WHERE TraceId = id AND Timestamp >= low AND Timestamp <= high",
              4, lambda answer, step: sum(len(s["spans"]) for r in (answer.get("trace") or answer)["resourceSpans"] for s in r["scopeSpans"]), len,
              heap="SELECT span_id, name, service, duration_ns, attributes, resource_attributes, events FROM {spans} "
                   f"WHERE trace_id = '\\x{trace}'"),
        newest("newest spans", "{}", None, None),
        newest("status code 500", "{ span.http.response.status_code = 500 }",
               "{eq|http.response.status_code|500}",
               lambda a: a.equals_number("http.response.status_code", 500)),
        newest("service and error", '{ resource.service.name = "payment" && status = error }',
               "service = 'payment' AND status = 'error'", lambda a: "ServiceName = 'payment' AND StatusCode = 'Error'"),
        newest("regex on SQL text", '{ span.db.query.text =~ ".*%s.*" }' % prefix,
               f"attributes ->> 'db.query.text' LIKE '%{quoted}%'", lambda a: f"{a.text('db.query.text')} LIKE '%{quoted}%'"),
        newest("slow spans", "{ duration > 500ms }", "duration_ns > 500000000", lambda a: "Duration > 500000000"),
        newest("needle: session id", '{ span.session.id = "%s" }' % session,
               '{eq|session.id|"%s"}' % session, lambda a: f"{a.text('session.id')} = '{session}'"),
        newest("no match", '{ span.session.id = "nope" }', '{eq|session.id|"nope"}',
               lambda a: f"{a.text('session.id')} = 'nope'"),
        per_trace("all errors, 5,000 traces", "{ status = error }", "status = 'error'", "", lambda a: "StatusCode = 'Error'", "", 5000),
        Class("structural >>", search('{ resource.service.name = "frontend" } >> { span.db.system = "postgresql" && status = error }'),
              "SELECT max(start_time) AS newest, count(*), trace_id FROM {spans} s WHERE {eq|db.system|\"postgresql\"} "
              f"AND status = 'error' AND {in_frontend} GROUP BY trace_id ORDER BY newest DESC LIMIT 20",
              lambda t, a: f"SELECT toDateTime64(max(Timestamp), 6) AS newest, count(), TraceId FROM {t} WHERE {a.text('db.system')} = 'postgresql' "
                           f"AND StatusCode = 'Error' AND {ch_in_frontend(t)} GROUP BY TraceId ORDER BY newest DESC LIMIT 20",
              1, traces, len),
        Class("structural >, no match", search('{ name = "render" } > { resource.service.name = "fraud" }'),
              "SELECT c.trace_id FROM {spans} c JOIN {spans} p ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id "
              "WHERE p.name = 'render' AND c.service = 'fraud' LIMIT 20",
              lambda t, a: f"SELECT c.TraceId FROM {t} AS c JOIN {t} AS p ON p.TraceId = c.TraceId AND p.SpanId = c.ParentSpanId "
                           "WHERE p.SpanName = 'render' AND c.ServiceName = 'fraud' LIMIT 20", 1, traces, len),
        per_trace("count per trace", "{ status = error } | count() > 3", "status = 'error'", "HAVING count(*) > 3",
                  lambda a: "StatusCode = 'Error'", "HAVING count() > 3"),
        per_trace("avg per trace", '{ span.db.system = "redis" } | avg(duration) > 2ms',
                  '{eq|db.system|"redis"}', "HAVING avg(duration_ns) > 2000000",
                  lambda a: f"{a.text('db.system')} = 'redis'", "HAVING avg(Duration) > 2000000"),
        rate("rate by service", "{} | rate() by (resource.service.name)", "service", None, lambda a: "ServiceName", None),
        rate("error rate by service", "{ status = error } | rate() by (resource.service.name)", "service", "status = 'error'",
             lambda a: "ServiceName", lambda a: "StatusCode = 'Error'"),
        quantiles("p50 p90 p99 of servers by name", "{ kind = server } | quantile_over_time(duration, .5, .9, .99) by (name)",
                  "WHERE kind = 'server'", "WHERE SpanKind = 'Server'"),
        quantiles("p50 p90 p99 by name", "{} | quantile_over_time(duration, .5, .9, .99) by (name)", "", ""),
        Class("histogram", metrics("{} | histogram_over_time(duration)"),
              f"SELECT {bin(step)} AS b, width_bucket(duration_ns, ARRAY[{POWERS}]) AS w, count(*) FROM {{spans}} GROUP BY 1, 2",
              lambda t, a: f"SELECT {ch_bin(step)} AS b, toUInt8(round(log2(p))) + 1, n FROM (SELECT {ch_bin(step)} AS Timestamp, "
                           f"roundToExp2(Duration) AS p, count() AS n FROM {t} GROUP BY ALL)",
              3, counted_buckets, sum_of(2)),
        Class("avg of attribute", metrics("{} | avg_over_time(span.app.cart.items) by (span.app.cached)"),
              f"SELECT {bin(step)} AS b, attributes ->> 'app.cached' AS g, avg((attributes ->> 'app.cart.items')::bigint)::float8 "
              "FROM {spans} WHERE {has|app.cart.items} GROUP BY 1, 2",
              lambda t, a: f"SELECT {ch_bin(step)} AS b, {a.boolean('app.cached')} AS g, avg({a.number('app.cart.items')}) FROM {t} "
                           f"WHERE {a.has('app.cart.items')} GROUP BY b, g", 3),
        Class("top 3 of rate by attribute", metrics("{} | rate() by (span.rpc.method) | topk(3)"),
              f"SELECT b, g, n FROM (SELECT {bin(step)} AS b, attributes ->> 'rpc.method' AS g, count(*) AS n, row_number() OVER "
              f"(PARTITION BY {bin(step)} ORDER BY count(*) DESC, attributes ->> 'rpc.method') AS r FROM {{spans}} "
              "WHERE {has|rpc.method} GROUP BY 1, 2) x WHERE r <= 3",
              lambda t, a: f"SELECT {ch_bin(step)} AS b, {a.text('rpc.method')} AS g, count() AS n FROM {t} WHERE {a.has('rpc.method')} "
                           "GROUP BY b, g ORDER BY b, n DESC, g LIMIT 3 BY b", 3),
        Class("structural rate", metrics('{ resource.service.name = "frontend" } >> { status = error } | rate()'),
              f"SELECT {bin(step)} AS b, count(*) FROM {{spans}} s WHERE status = 'error' AND NOT (kind = 'server' AND service IN ('frontend', 'frontend-proxy')) "
              f"AND {in_frontend} GROUP BY 1",
              lambda t, a: f"SELECT {ch_bin(step)} AS b, count() FROM {t} WHERE StatusCode = 'Error' AND "
                           f"NOT (SpanKind = 'Server' AND ServiceName IN ('frontend', 'frontend-proxy')) AND {ch_in_frontend(t)} GROUP BY b", 2),
        rate("count by attribute, duration > 3 ms", "{ duration > 3ms && span.rpc.method != nil } | rate() by (span.rpc.method)",
             "attributes ->> 'rpc.method'", "duration_ns > 3000000 AND {has|rpc.method}",
             lambda a: a.text("rpc.method"), lambda a: f"Duration > 3000000 AND {a.has('rpc.method')}", step + 2, False),
        Class("count of a rare value", None,
              "SELECT count(*) FROM {spans} WHERE {eq|app.shard|77}",
              lambda t, a: f"SELECT count() FROM {t} WHERE {a.equals_number('app.shard', 77)}", 1),
        Class("compare", metrics("{} | compare({ status = error })")),
        Class("tag names", ("/api/v2/search/tags", {"scope": "span"}),
              "SELECT DISTINCT tempo.keys(attributes) AS k FROM {spans}",
              lambda t, a: a.keys(t), 1, lambda answer, step: sum(len(s["tags"]) for s in answer["scopes"] if s["name"] == "span"), len,
              heap="SELECT DISTINCT jsonb_object_keys(attributes) AS k FROM {spans}"),
        Class("tag values", ("/api/v2/search/tag/resource.service.name/values", {}), "SELECT DISTINCT service FROM {spans}",
              lambda t, a: f"SELECT DISTINCT ServiceName FROM {t}", 1, lambda answer, step: len(answer["tagValues"]), len),
        Class("tag values where", ("/api/v2/search/tag/span.rpc.method/values", {"q": "{ status = error }"}),
              "SELECT DISTINCT attributes ->> 'rpc.method' FROM {spans} WHERE status = 'error' AND {has|rpc.method}",
              lambda t, a: f"SELECT DISTINCT {a.text('rpc.method')} FROM {t} WHERE StatusCode = 'Error' AND {a.has('rpc.method')}", 1,
              lambda answer, step: len(answer["tagValues"]), len),
    ]
