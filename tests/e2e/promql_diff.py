#!/usr/bin/env python3
"""Asks Narthex and a Prometheus the same random queries about the same series, and compares the answers: values
bit for bit but for sums whose order is each server's own, annotations without what was reworded, error texts.

promql_diff.py NARTHEX [unittest options]; Prometheus (PROMETHEUS_BIN) has to be a 3.x, or the test is skipped.
RANDOM_SEED and RANDOM_QUERIES say which queries and how many."""
import http.client
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import random_queries
import remote_write
from parts import fetch, free_port, wait_for

PROMETHEUS = os.environ.get("PROMETHEUS_BIN", "")
NARTHEX = os.path.abspath(sys.argv.pop(1))
SEED = int(os.environ.get("RANDOM_SEED", "1"))
QUERIES = int(os.environ.get("RANDOM_QUERIES", "400"))
CLOSE = 1e-9

# Error texts that differ: which of several series is named, and what 3.5 said in other words.
NO_MATTER = re.compile(
    r"found duplicate series|multiple matches for labels|must not occur in ON and GROUP|unknown position|duration expression|Scalar value"
    r"|Parameter value is NaN|expected number|in subquery|unexpected colon|expected ':'|wrong number of arguments|trailing commas|<Item|unexpected error")
# Infos and warnings that 3.5 has in other words or not at all.
NEWER = re.compile(
    r"sort is ineffective|conflicting counter resets|mismatched custom buckets|for metric name \"\"| \(\d+:\d+\)$|, from .*$")

# Notes on buckets that name a metric in 3.5 only.
OF_BUCKETS = re.compile(r"^(.*(?:bucket label|input to histogram_|mix of classic).*?) for metric name \".*?\"")


class Server:
    def __init__(self, name, binary, folder):
        self.port = free_port()
        config = folder / "empty.yml"
        config.write_text("global: {}\n")
        self.log = open(folder / f"{name}.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / name}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
             "--enable-feature=native-histograms,promql-experimental-functions"],
            stdout=self.log, stderr=self.log, cwd=folder)

    def ready(self):
        return fetch(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200

    def write(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", "/api/v1/write", body, remote_write.HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status in (200, 204), text

    def ask(self, path, **parameters):
        status, text = fetch(f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(parameters))
        return status, json.loads(text)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def same(a, b):
    """JSON of both: numbers in strings may differ in their last digits."""
    if isinstance(a, str) and isinstance(b, str) and a != b:
        try:
            x, y = float(a), float(b)
        except ValueError:
            return False
        return x == y or math.isnan(x) and math.isnan(y) or abs(x - y) <= CLOSE * max(abs(x), abs(y))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def by_labels(data):
    if data["resultType"] in ("vector", "matrix"):
        data["result"].sort(key=lambda one: sorted(one["metric"].items()))
    return data


def adds_up(data):
    """3.5 now and then shows one histogram's buckets under another's count."""
    points = [h for one in data["result"] if isinstance(one, dict)
              for h in one.get("histograms", []) + ([one["histogram"]] if "histogram" in one else [])]
    for _, histogram in points:
        total = sum(float(bucket[3]) for bucket in histogram.get("buckets", []))
        if abs(total - float(histogram["count"])) > 1e-6 * abs(total):
            return False
    return True


def gist(answer, kind):
    notes = answer.get(kind) or []
    if any("annotations omitted" in note for note in notes):
        return "many"  # and which of them are shown is a matter of luck
    notes = [OF_BUCKETS.sub(r"\1", note) for note in notes]
    return sorted({NEWER.sub("", note).strip() for note in notes} - {"PromQL info:", "PromQL warning:"})


@unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
class PromqlDiff(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-promql."))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.end = int(time.time()) // 15 * 15 - 60
        start = cls.end * 1000 - random_queries.STEPS * random_queries.STEP_MS
        cls.servers = []
        for name, binary in (("prometheus", PROMETHEUS), ("narthex", NARTHEX)):
            server = Server(name, binary, cls.folder)
            cls.addClassCleanup(server.stop)
            wait_for(f"{name} to answer", server.ready)
            cls.servers.append(server)
        for first in range(0, random_queries.STEPS + 1, 40):
            body = b""
            for labels, value in random_queries.all_series():
                steps = range(first, min(first + 40, random_queries.STEPS + 1))
                samples = [(start + k * random_queries.STEP_MS, value(k)) for k in steps]
                body += remote_write.series(labels, [s for s in samples if s[1] is not None])
            for server in cls.servers:
                server.write(remote_write.snappy(body))

    def compare(self, path, **parameters):
        (status, theirs), (our_status, ours) = (server.ask(path, **parameters) for server in self.servers)
        if status != 200 and our_status != 200:
            if not NO_MATTER.search(theirs["error"] + ours["error"]):
                self.assertEqual(theirs["error"], ours["error"])
            return
        if NO_MATTER.search(theirs.get("error", "") + ours.get("error", "")):
            return
        self.assertEqual(status, our_status, theirs.get("error") or ours.get("error"))
        for kind in ("warnings", "infos"):
            self.assertEqual(gist(theirs, kind), gist(ours, kind))
        if not same(by_labels(theirs["data"]), by_labels(ours["data"])) and adds_up(theirs["data"]):
            self.fail(f"{json.dumps(theirs['data'])[:2000]}\nNarthex:\n{json.dumps(ours['data'])[:2000]}")

    def compare_all(self, query):
        with self.subTest(query):
            self.compare("query", query=query, time=self.end - 307)
            self.compare("query_range", query=query, start=self.end - 2900, end=self.end + 200, step=97)

    def test_every_sample_arrived(self):
        self.compare_all('count_over_time({__name__=~".+"}[2h])')
        self.compare_all('{__name__=~".+"}')

    def test_random_queries_give_the_same(self):
        queries = random_queries.Queries(random.Random(SEED))
        for _ in range(QUERIES):
            self.compare_all(queries.next())

    def test_broken_queries_give_the_same_errors(self):
        queries = random_queries.Queries(random.Random(SEED + 1))
        for _ in range(QUERIES):
            query = queries.mutated()
            with self.subTest(query):
                self.compare("query", query=query, time=self.end - 307)


if __name__ == "__main__":
    unittest.main()
