#!/usr/bin/env python3
"""Asks Prometheus 3 and Narthex the same questions and compares the answers.

Both run on the same configuration and scrape the same target. For every endpoint with good and bad input the status,
the content type and the shape of the JSON must be the same; error texts must be the same word for word. Whatever
differs on purpose is in EXPECTED, with its reason.

Usage: api_diff.py NARTHEX_BINARY. PROMETHEUS_BIN names the other program; without it everything is skipped.
"""
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

from parts import free_port

NARTHEX = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/release/narthex"
PROMETHEUS = os.environ.get("PROMETHEUS_BIN", "")
DEADLINE = 60

PAGE = """# HELP requests_total Requests so far.
# TYPE requests_total counter
requests_total{code="200",path="/"} 10
requests_total{code="500",path="/"} 1
# HELP temperature_celsius Temperature.
# TYPE temperature_celsius gauge
temperature_celsius{room="a<b>"} 21.5
temperature_celsius{room="b"} 1e-9
# HELP latency_seconds Latency.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 3
latency_seconds_bucket{le="+Inf"} 5
latency_seconds_sum 2.5
latency_seconds_count 5
"""

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
  external_labels: {{site: here}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - static_configs: [{{targets: ["127.0.0.1:1"]}}]
scrape_configs:
- job_name: app
  static_configs:
  - targets: ["127.0.0.1:{port}"]
  - targets: ["127.0.0.1:9"]
    labels: {{drop: "yes"}}
  relabel_configs:
  - {{source_labels: [drop], regex: "yes", action: drop}}
- job_name: down
  static_configs: [{{targets: ["127.0.0.1:1"]}}]
"""

RULES = """
groups:
- name: first
  interval: 1s
  rules:
  - {record: "job:requests:sum", expr: "sum by (job) (requests_total)", labels: {team: a}}
  - {alert: Hot, expr: "temperature_celsius > 20", labels: {severity: page}, annotations: {summary: "{{ $value }}"}}
  - {alert: Slow, expr: "vector(1)", for: 1h, keep_firing_for: 5m}
- name: second
  limit: 10
  rules:
  - {alert: Never, expr: "absent(up) > 5"}
  - {record: bad, expr: "label_replace(requests_total, 'code', 'x', '', '')"}
"""


def q(**parameters):
    pairs = []
    for name, value in parameters.items():
        name = name.rstrip("_") + ("[]" if name.endswith("_") else "")
        for one in value if isinstance(value, list) else [value]:
            pairs.append((name, one))
    return "?" + urllib.parse.urlencode(pairs)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def cases():
    """(method, path with query, body, headers)"""
    get = [
        # query
        q(query="1+1"), q(query="1+1", time="4"), q(query="up"), q(query="requests_total", limit="1"),
        q(query="requests_total", limit="-1"), q(query="requests_total", limit="x"), q(query="'text<&>'"),
        q(query="up[5s]"), q(query="sum(rate("), q(query="up", time="abc"), 
        q(query="up", timeout="x"), q(query="up", lookback_delta="1m"),
        q(query="up", lookback_delta="x"), q(query="up", stats="all"), q(query="up", stats="1"), "",
        q(query="nothing"), q(query="rate(temperature_celsius[1m])"), q(query="up offset"),
        q(query="label_replace(requests_total, 'code', 'x', '', '')"), q(query="up + on() requests_total"),
        q(query="histogram_quantile(0.5, requests_total)"), q(query="histogram_quantile(5, latency_seconds_bucket)"),
        q(query="sum(rate(temperature_celsius[1m])) + sum(increase(temperature_celsius[1m]))"),
        q(query="up", time="2020-01-01T00:00:00Z"), q(query="temperature_celsius"), q(query="1e-7"), q(query="1e21"),
        q(query="-Inf"), q(query="NaN"), q(query="requests_total{job=''}"), q(query="{job=''}"), q(query="{}"),
    ]
    out = [("GET", "/api/v1/query" + one, None, {}) for one in get]
    now = int(time.time())
    for one in [
        q(query="up", start=now - 30, end=now, step=15), q(query="up", start=now - 30, end=now, step="15s", stats="all"),
        q(query="up", start=now, end=now - 30, step=15), q(query="up", start=now - 30, end=now, step=0),
        q(query="up", start=now - 30, end=now, step="x"), q(query="up", start=now - 30, end=now),
        q(query="up", end=now, step=1), q(query="up", start=now, step=1), q(query="up[1m]", start=now, end=now, step=1),
        q(query="up", start=0, end=now, step=1), q(query="'x'", start=now, end=now, step=1), q(query="1", start=now, end=now, step=1),
        q(query="requests_total", start=now - 30, end=now, step=15, limit=1), q(query="up", start="x", end=now, step=1),
        q(query="up{", start=now, end=now, step=1), q(query="up", start=now - 30, end=now, step=15, timeout="x"),
        q(query="nothing", start=now - 30, end=now, step=15), q(query="up", start=now, end=now, step="1e30"),
    ]:
        out.append(("GET", "/api/v1/query_range" + one, None, {}))
    for path in [
        "/api/v1/query_exemplars" + q(query="up"), "/api/v1/query_exemplars" + q(query="up", start=5, end=4),
        "/api/v1/query_exemplars" + q(query="up{"), "/api/v1/query_exemplars" + q(query="1"), "/api/v1/query_exemplars",
        "/api/v1/query_exemplars" + q(query="test", start=now * 1000, end=now * 1000 + 5),
        "/api/v1/query_exemplars" + q(query="up", start="x"),
        "/api/v1/format_query" + q(query="sum(up)by(job)"), "/api/v1/format_query" + q(query="sum(("), "/api/v1/format_query",
        "/api/v1/parse_query" + q(query="sum by (job) (rate(up[5m] offset 1m)) > bool 3"), "/api/v1/parse_query" + q(query="sum(("),
        "/api/v1/parse_query" + q(query="a * on(b) group_left(c) d or topk(3, x @ end())[1h:5m] and -1"),
        "/api/v1/parse_query" + q(query="label_replace({'a.b'='c'}, 'x', 'y', 'z', '')"), "/api/v1/parse_query",
        "/api/v1/labels", "/api/v1/labels" + q(limit=2), "/api/v1/labels" + q(limit="x"), "/api/v1/labels" + q(match_="up"),
        "/api/v1/labels" + q(match_="{job=''}"), "/api/v1/labels" + q(match_="{"), "/api/v1/labels" + q(match_="nothing"),
        "/api/v1/labels" + q(start="x"), "/api/v1/labels" + q(end="x"), "/api/v1/labels" + q(match_=""), "/api/v1/labels" + q(match_="{}"),
        "/api/v1/labels" + q(start=now, end=now - 100), "/api/v1/labels" + q(match_="{job=~'.*'}"),
        "/api/v1/label/job/values", "/api/v1/label/__name__/values" + q(limit=1), "/api/v1/label/U__a_2e_b/values",
        "/api/v1/label/a.b/values", "/api/v1/label/%ff/values", "/api/v1/label/job/values" + q(match_=["up", "requests_total"]),
        "/api/v1/label/job/values" + q(match_="{job=''}"), "/api/v1/label/job/values" + q(match_="{"), "/api/v1/label/0x/values",
        "/api/v1/label//values", "/api/v1/label/U__x_ZZ_/values", "/api/v1/label/job/values" + q(start=now, end=now - 100),
        "/api/v1/series", "/api/v1/series" + q(match_="up"), "/api/v1/series" + q(match_=["up", "requests_total"], limit=1),
        "/api/v1/series" + q(match_="{job=''}"), "/api/v1/series" + q(match_="{"), "/api/v1/series" + q(match_="up", start="x"),
        "/api/v1/series" + q(match_="up", limit="-3"), "/api/v1/series" + q(match_="nothing"), "/api/v1/series" + q(match_="rate(up[1m])"),
        "/api/v1/metadata", "/api/v1/metadata" + q(limit="x"), "/api/v1/metadata" + q(metric="requests_total"),
        "/api/v1/metadata" + q(metric="nothing"), "/api/v1/metadata" + q(limit_per_metric=1), "/api/v1/metadata" + q(limit_per_metric="x"),
        "/api/v1/metadata" + q(limit=0), "/api/v1/metadata" + q(limit=-1),
        "/api/v1/targets", "/api/v1/targets" + q(state="active"), "/api/v1/targets" + q(state="dropped"), "/api/v1/targets" + q(state="ANY"),
        "/api/v1/targets" + q(state="x"), "/api/v1/targets" + q(scrapePool="app"), "/api/v1/targets" + q(scrapePool="x"),
        "/api/v1/targets/metadata", "/api/v1/targets/metadata" + q(match_target="{job='app'}"), "/api/v1/targets/metadata" + q(match_target="{"),
        "/api/v1/targets/metadata" + q(metric="requests_total"), "/api/v1/targets/metadata" + q(limit=1), "/api/v1/targets/metadata" + q(limit="x"),
        "/api/v1/targets/metadata" + q(match_target="{job=''}"), "/api/v1/targets/metadata" + q(limit=0),
        "/api/v1/scrape_pools", "/api/v1/alertmanagers", "/api/v1/alerts",
        "/api/v1/rules", "/api/v1/rules" + q(type="alert"), "/api/v1/rules" + q(type="record"), "/api/v1/rules" + q(type="x"),
        "/api/v1/rules" + q(rule_name_="Hot"), "/api/v1/rules" + q(rule_group_="second"), "/api/v1/rules" + q(file_="nothing"),
        "/api/v1/rules" + q(match_="{severity='page'}"), "/api/v1/rules" + q(match_="{"), "/api/v1/rules" + q(match_="{severity=''}"),
        "/api/v1/rules" + q(exclude_alerts="true"), "/api/v1/rules" + q(exclude_alerts="x"), "/api/v1/rules" + q(group_limit=1),
        "/api/v1/rules" + q(group_limit="x"), "/api/v1/rules" + q(group_limit=0), "/api/v1/rules" + q(group_limit=-1),
        "/api/v1/rules" + q(group_next_token="x"), "/api/v1/rules" + q(group_limit=1, group_next_token="x"), "/api/v1/rules" + q(group_limit=9),
        "/api/v1/rules" + q(rule_name="Hot"), "/api/v1/rules" + q(type="ALERT"),
        "/api/v1/status/config", "/api/v1/status/runtimeinfo", "/api/v1/status/buildinfo", "/api/v1/status/flags",
        "/api/v1/status/tsdb", "/api/v1/status/tsdb" + q(limit=2), "/api/v1/status/tsdb" + q(limit=0), "/api/v1/status/tsdb" + q(limit="x"),
        "/api/v1/status/tsdb" + q(limit="100000"), "/api/v1/status/walreplay", "/api/v1/notifications",
        "/api/v1/status/nothing", "/api/v1/nothing", "/api/v1", "/api/v1/", "/nothing", "/version", "/metrics",
        "/-/healthy", "/-/ready", "/-/reload", "/-/quit", "/", "/graph", "/graph?g0.expr=up",
        "/federate", "/federate" + q(match_="up"), "/federate" + q(match_="{job=''}"), "/federate" + q(match_="{"), "/federate" + q(match_=["up", "requests_total"]),
        "/api/v1/write", "/api/v1/read", "/api/v1/otlp/v1/metrics", "/api/v1/admin/tsdb/snapshot", "/api/v1/admin/tsdb/delete_series",
        "/api/v1/admin/tsdb/clean_tombstones", "/api/v1/query/", "/api/v1//query?query=up", "/consoles/", "/consoles/x", "/user/x", "/favicon.ico",
        "/api/v1/query?query=up;x=1", "/api/v1/query?query=%zz",
    ]:
        out.append(("GET", path, None, {}))
    posts = [
        ("/api/v1/query", "query=up"), ("/api/v1/query?query=1", "query=2"), ("/api/v1/query?stats=all", "query=up&time=4"), ("/api/v1/query", ""),
        ("/api/v1/query", "query=%zz"), ("/api/v1/query_range", f"query=up&start={now}&end={now}&step=1"), ("/api/v1/labels", "match[]=up"),
        ("/api/v1/series", "match[]=up"), ("/api/v1/series", ""), ("/api/v1/query_exemplars", "query=up"), ("/api/v1/format_query", "query=up"),
        ("/api/v1/parse_query", "query=up"), ("/api/v1/label/job/values", ""), ("/api/v1/metadata", ""), ("/api/v1/rules", ""),
        ("/api/v1/alerts", ""), ("/api/v1/targets", ""), ("/api/v1/status/buildinfo", ""), ("/-/healthy", ""), ("/federate", ""), ("/metrics", ""),
        ("/api/v1/admin/tsdb/delete_series", ""), ("/api/v1/admin/tsdb/delete_series", "match[]={"), ("/api/v1/admin/tsdb/delete_series", "match[]=x&start=y"),
        ("/api/v1/admin/tsdb/delete_series", "match[]=nothing"), ("/api/v1/admin/tsdb/delete_series", "match[]={job=''}"),
        ("/api/v1/admin/tsdb/clean_tombstones", ""), ("/api/v1/admin/tsdb/snapshot", "skip_head=x"), ("/api/v1/admin/tsdb/snapshot", ""),
        ("/api/v1/nothing", ""),
    ]
    out += [("POST", path, body, FORM) for path, body in posts]
    for path in ["/api/v1/query?query=1", "/api/v1/labels", "/api/v1/rules", "/-/healthy", "/-/ready", "/api/v1/nothing", "/", "/metrics", "/version"]:
        for method in ["HEAD", "OPTIONS", "PUT", "DELETE"]:
            out.append((method, path, None, {}))
    out.append(("GET", "/api/v1/query?query=1", None, {"Origin": "http://x"}))
    out.append(("OPTIONS", "/api/v1/query?query=1", None, {"Origin": "http://x"}))
    out.append(("GET", "/federate" + q(match_="up"), None, {"Accept": "application/openmetrics-text;version=1.0.0"}))
    out.append(("GET", "/federate" + q(match_="up"), None, {"Accept": "text/plain;version=1.0.0;escaping=allow-utf-8"}))
    out.append(("GET", "/federate" + q(match_="up"), None, {"Accept": "text/plain;escaping=dots"}))
    for encoding in ["delimited", "delimited;escaping=values", "other"]:
        accept = f"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding={encoding}"
        out.append(("GET", "/federate" + q(match_=["up", "requests_total"]), None, {"Accept": accept}))
        out.append(("GET", "/federate" + q(match_="up"), None, {"Accept": accept + ";q=0.5,text/plain;version=0.0.4;q=0.7"}))
    out.append(("GET", "/metrics", None, {"Accept": "application/openmetrics-text;version=1.0.0"}))
    snappy_empty = b"\x00"
    proto = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    v2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy"}
    for headers, body in [(proto, snappy_empty), (proto, b"\xff"), ({**proto, "Content-Encoding": "gzip"}, snappy_empty),
                          ({**proto, "Content-Type": "text/plain"}, snappy_empty), ({"Content-Encoding": "snappy"}, snappy_empty), (v2, snappy_empty),
                          ({**proto, "Content-Type": "application/x-protobuf;proto=x"}, snappy_empty), ({**proto, "Content-Type": "application/x-protobuf;x"}, snappy_empty),
                          (v2, b"\xff"), ({"Content-Type": "application/x-protobuf"}, snappy_empty)]:
        out.append(("POST", "/api/v1/write", body, headers))
    for headers, body in [(proto, snappy_empty), (proto, b"\xff"), ({}, b""), (proto, b"\x02\x08\x01")]:
        out.append(("POST", "/api/v1/read", body, headers))
    for headers, body in [({"Content-Type": "application/x-protobuf"}, b""), ({"Content-Type": "application/json"}, b"{}"),
                          ({"Content-Type": "application/json"}, b"{"), ({"Content-Type": "text/plain"}, b""), ({}, b""),
                          ({"Content-Type": "application/x-protobuf"}, b"\xff"), ({"Content-Type": "application/json"}, b'{"resourceMetrics":[]}')]:
        out.append(("POST", "/api/v1/otlp/v1/metrics", body, headers))
    return out


# Path prefix (method and path) -> why the answers differ on purpose. Kept short; docs/compatibility.md has them too.
EXPECTED = {
    "GET /api/v1/query?query=up+offset ": "offset takes step() and range() since 3.6",
    "GET /api/v1/status/flags": "flags that came after 3.5",
    "GET /api/v1/query/ ": "Prometheus redirects to /query, which is another page",
    "GET /consoles/": "no consoles",
    "GET /api/v1/otlp/v1/metrics": "Debian builds Prometheus without the OTLP receiver",
    "POST /api/v1/otlp/v1/metrics": "Debian builds Prometheus without the OTLP receiver",
    "GET /user/x": "no user assets",
}


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_):
        pass


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        data = body.encode() if isinstance(body, str) else body
        connection.request(method, path, body=data, headers=headers or {})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


# Objects whose keys are data, not structure.
MAPS = {"labels", "discoveredLabels", "annotations", "metric", "flags", "droppedTargetCounts", "target"}


def shape(value, key=""):
    """The structure of a JSON value: keys and types."""
    if isinstance(value, dict):
        if key in MAPS:
            return {"*": "str"}
        return {k: shape(v, k) for k, v in sorted(value.items())}
    if isinstance(value, list):
        kinds = []
        for item in value:
            one = shape(item, key)
            if one not in kinds:
                kinds.append(one)
        return sorted(kinds, key=lambda kind: json.dumps(kind, sort_keys=True))
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def summary(answer):
    status, headers, body = answer
    out = {"status": status, "content-type": headers.get("content-type", "")}
    for name in ("allow", "location", "access-control-allow-origin", "access-control-allow-methods",
                 "access-control-allow-headers", "access-control-expose-headers", "cache-control",
                 "x-prometheus-remote-write-samples-written", "x-prometheus-remote-write-histograms-written",
                 "x-prometheus-remote-write-exemplars-written"):
        if name in headers:
            out[name] = headers[name]
    if out["content-type"].startswith("application/vnd.google.protobuf"):
        out["body"] = re.sub(rb"0[\x80-\xff]{5}[\x00-\x7f]", b"TIME", body).hex()  # field 6, six bytes
        return out
    try:
        value = json.loads(body)
    except ValueError:
        out["body"] = re.sub(r"\b(\d{13}|1\.\d+e\+09)\b", "TIME", body[:300].decode(errors="replace")) if status >= 300 or len(body) < 300 else "long"
        return out
    if isinstance(value, dict) and isinstance(value.get("data"), dict):
        value["data"].pop("narthex", None)  # runtimeinfo: what Prometheus has no words for
    if isinstance(value, dict) and value.get("status") == "error":
        out["body"] = value
    elif isinstance(value, dict) and "warnings" in value:
        out["body"] = shape(value)
        out["warnings"] = sorted(value["warnings"])
    else:
        out["body"] = shape(value)
    return out


@unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
class ApiDiff(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.processes, cls.ports = [], {}
        cls.addClassCleanup(cls.stop)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-diff."))
        cls.target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
        threading.Thread(target=cls.target.serve_forever, daemon=True).start()
        (cls.folder / "rules.yml").write_text(RULES)
        (cls.folder / "prometheus.yml").write_text(CONFIG.format(port=cls.target.server_port))
        for name, binary in [("prometheus", PROMETHEUS), ("narthex", NARTHEX)]:
            cls.ports[name] = free_port()
            log = open(cls.folder / f"{name}.log", "w", encoding="utf-8")
            cls.addClassCleanup(log.close)
            cls.processes.append(subprocess.Popen(
                [binary, f"--config.file={cls.folder}/prometheus.yml", f"--storage.tsdb.path={cls.folder}/{name}",
                 f"--web.listen-address=127.0.0.1:{cls.ports[name]}", "--web.enable-admin-api",
                 "--web.enable-remote-write-receiver",
                 "--web.external-url=http://example.org/"], stdout=log, stderr=log, cwd=cls.folder))
        for name, port in cls.ports.items():
            cls.wait(name, port)

    @classmethod
    def wait(cls, name, port):
        wanted = ["up==1", "count_over_time(temperature_celsius[1m]) > 2", "ALERTS{alertname='Slow'}", "ALERTS{alertname='Hot',alertstate='firing'}",
                  "scrape_samples_scraped{job='down'}"]
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                got = [json.loads(ask(port, "GET", "/api/v1/query" + q(query=one))[2])["data"]["result"] for one in wanted]
                if all(got):
                    return
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                pass
            time.sleep(0.2)
        raise AssertionError(f"{name} did not get ready; see {cls.folder}/{name}.log")

    @classmethod
    def stop(cls):
        for process in cls.processes:
            process.send_signal(signal.SIGTERM)
        for process in cls.processes:
            process.wait(30)
        cls.target.shutdown()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_same_answers(self):
        for method, path, body, headers in cases():
            name = f"{method} {path} {body if body is not None else ''}"
            if any(name.startswith(prefix) for prefix in EXPECTED):
                continue
            with self.subTest(name, headers=headers):
                theirs = summary(ask(self.ports["prometheus"], method, path, body, headers))
                ours = summary(ask(self.ports["narthex"], method, path, body, headers))
                # Versions after 3.5 know where an empty query ends, and name no metric where its name is dropped.
                wanted = json.dumps(theirs, indent=1, sort_keys=True).replace("unknown position: ", "1:1: ")
                wanted = re.sub(r'(bucket label .*?) for metric name .*? \(', r"\1 (", wanted)
                self.assertEqual(wanted, json.dumps(ours, indent=1, sort_keys=True))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:])
