#!/usr/bin/env python3
"""Data directories of the real Prometheus into Narthex and back: every sample is compared.

Usage: migration_test.py NARTHEX_BINARY. Needs promtool and prometheus (PROMTOOL_BIN, PROMETHEUS_BIN, or in the PATH);
each test that lacks its program is skipped by name. Stops everything that it started.
"""
import json
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from parts import free_port

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/release/narthex"
PROMTOOL = os.environ.get("PROMTOOL_BIN") or shutil.which("promtool")
PROMETHEUS = os.environ.get("PROMETHEUS_BIN") or shutil.which("prometheus")
START = 1_700_000_000 // 7200 * 7200
DEADLINE = 60

needs_promtool = unittest.skipUnless(PROMTOOL, "promtool is not there (PROMTOOL_BIN)")
needs_prometheus = unittest.skipUnless(PROMETHEUS and PROMTOOL, "prometheus is not there (PROMETHEUS_BIN)")


def run(*command, status=0):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def openmetrics(hours):
    """Steady, rising, noisy and patchy series of three targets."""
    lines = []
    for n, name in enumerate(("steady", "rising", "noisy", "patchy")):
        for target in range(3):
            for i in range(hours * 240):
                if name == "patchy" and i // 50 % 3 == 0:
                    continue
                value = {"steady": "1.5", "rising": str(i * 7), "noisy": repr(math.sin(i + n) * 1e3), "patchy": str(-i)}[name]
                lines.append(f'{name}{{instance="host{target}:9100",job="x",path="/\\"é"}} {value} '
                             f"{START + i * 15 + target * 0.137:.3f}")
    return "\n".join(lines) + "\n# EOF\n"


def round_bounds(line):
    """Prometheus has a table of bucket bounds whose last bit is not always that of the nearest double."""
    return re.sub(r"([\[(])([^,{}()]+),([^,{}()]+)([\])]:)",
                  lambda m: f"{m[1]}{float(m[2]):.12g},{float(m[3]):.12g}{m[4]}", line)


def dump(tool, folder):
    if tool == PROMTOOL:
        os.makedirs(folder / "wal", exist_ok=True)  # promtool wants one
    lines = run(tool, "tsdb", "dump", folder).splitlines()
    return sorted(round_bounds(line) if "{count:" in line else line for line in lines)


class Migration(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-migration."))
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_prometheus(self, data, *flags):
        port = free_port()
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, evaluation_interval: 400ms}\nrule_files: [rules.yml]\nscrape_configs:\n"
            "- job_name: self\n  scrape_protocols: [PrometheusProto]\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
        (self.folder / "rules.yml").write_text(
            "groups:\n- name: g\n  rules:\n  - record: job:http:rate\n"
            "    expr: sum by (job) (rate(prometheus_http_request_duration_seconds[5s]))\n")
        with open(self.folder / "prometheus.log", "ab") as log:
            process = subprocess.Popen(
                [PROMETHEUS, f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={data}",
                 f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
                 "--enable-feature=native-histograms", *flags], stdout=log, stderr=log)
        self.processes.append(process)
        return process, port

    def query(self, port, expr, at=None):
        parameters = {"query": expr} | ({"time": at} if at else {})
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode(parameters)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(url, timeout=10) as response:
                    return json.load(response)["data"]["result"]
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise AssertionError(f"no answer from Prometheus: {url}")

    @needs_promtool
    def test_blocks_there_and_back(self):
        text = self.folder / "in.om"
        text.write_text(openmetrics(5))
        prom, store, back = (self.folder / n for n in ("prom", "store", "back"))
        run(PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", "-q", text, prom)
        run(BINARY, "tsdb", "import", f"--storage.tsdb.path={store}", prom)
        want = dump(PROMTOOL, prom)
        self.assertGreater(len(want), 10_000)
        self.assertEqual(dump(BINARY, store), want)
        run(BINARY, "tsdb", "verify", store)
        self.assertIn("imported before", run(BINARY, "tsdb", "import", f"--storage.tsdb.path={store}", prom))
        run(BINARY, "tsdb", "export-blocks", f"--storage.tsdb.path={store}", back)
        self.assertEqual(dump(PROMTOOL, back), want)
        self.assertEqual(len(run(PROMTOOL, "tsdb", "list", back).splitlines()), 4)
        self.assertIn("Total Series: 12", run(PROMTOOL, "tsdb", "analyze", "--extended", back))

    @needs_promtool
    def test_openmetrics_gives_what_promtool_gives(self):
        text = self.folder / "in.om"
        text.write_text(openmetrics(3))
        prom, store = self.folder / "prom", self.folder / "store"
        run(PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", "-q", "--label=site=a", text, prom)
        out = run(BINARY, "tsdb", "create-blocks-from", "openmetrics", "--label=site=a", text, store)
        self.assertIn("BLOCK ULID", out)
        self.assertEqual(dump(BINARY, store), dump(PROMTOOL, prom))
        again = self.folder / "again.om"
        again.write_text(run(BINARY, "tsdb", "dump-openmetrics", store))
        run(BINARY, "tsdb", "create-blocks-from", "openmetrics", "-q", again, self.folder / "store2")
        self.assertEqual(dump(BINARY, self.folder / "store2"), dump(BINARY, store))

    @needs_prometheus
    def test_a_running_head_is_imported(self):
        prom, store = self.folder / "prom", self.folder / "store"
        process, port = self.start_prometheus(prom)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and not self.query(port, "count_over_time(job:http:rate[1m]) > 12"):
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)  # the log may end anywhere
        process.wait()
        want = dump(PROMTOOL, prom)
        run(BINARY, "tsdb", "import", f"--storage.tsdb.path={store}", prom)
        got = dump(BINARY, store)
        # promtool loses samples of a series whose kind changes (it steps over them), so its lines are a part.
        self.assertEqual([line for line in want if line not in set(got)], [])
        floats = [line for line in got if " {count:" not in line]
        self.assertEqual(floats, [line for line in want if " {count:" not in line])
        self.assertTrue(any("job:http:rate" in line for line in got))
        self.assertLess(len(got) - len(want), 300)
        # And as blocks: the same samples again.
        back = self.folder / "back"
        run(BINARY, "tsdb", "export-blocks", f"--storage.tsdb.path={store}", back)
        store2 = self.folder / "store2"
        run(BINARY, "tsdb", "import", f"--storage.tsdb.path={store2}", back)
        self.assertEqual(dump(BINARY, store2), got)

    @needs_prometheus
    def test_prometheus_serves_exported_blocks(self):
        text = self.folder / "in.om"
        text.write_text(openmetrics(3))
        store, back = self.folder / "store", self.folder / "back"
        run(BINARY, "tsdb", "create-blocks-from", "openmetrics", "-q", text, store)
        run(BINARY, "tsdb", "export-blocks", f"--storage.tsdb.path={store}", back)
        _, port = self.start_prometheus(back)
        result = self.query(port, "sum(count_over_time(rising[4h]))", START + 3 * 3600)
        self.assertEqual(result[0]["value"][1], str(3 * 3 * 240))


if __name__ == "__main__":
    unittest.main(verbosity=2)
