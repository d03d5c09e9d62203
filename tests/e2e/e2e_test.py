#!/usr/bin/env python3
"""The real parts together: node exporter, Alertmanager and Narthex on free loopback ports.

Scrape, query, record, alert, see it in Alertmanager, resolve, refuse a broken reload, kill -9, restart, nothing lost.
Usage: e2e_test.py NARTHEX_BINARY. Waits by polling with a deadline; stops everything that it started.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

from parts import fetch, free_port, wait_for

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/release/narthex"


class World:
    """The processes of one test and their folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-e2e."))
        self.processes = []
        self.port, self.node_port, self.am_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.am_url = f"http://127.0.0.1:{self.am_port}"

    def spawn(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def start_peers(self):
        node = shutil.which("prometheus-node-exporter") or "/usr/bin/prometheus-node-exporter"
        am = shutil.which("prometheus-alertmanager") or "/usr/bin/prometheus-alertmanager"
        self.spawn("node", node, f"--web.listen-address=127.0.0.1:{self.node_port}", "--collector.disable-defaults",
                   "--collector.cpu", "--collector.loadavg", "--collector.meminfo")
        (self.folder / "alertmanager.yml").write_text(
            "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n")
        self.spawn("alertmanager", am, "--config.file=alertmanager.yml", f"--storage.path={self.folder}/am",
                   f"--web.listen-address=127.0.0.1:{self.am_port}", "--cluster.listen-address=")
        wait_for("node exporter", lambda: fetch(f"http://127.0.0.1:{self.node_port}/metrics")[0] == 200)
        wait_for("Alertmanager", lambda: fetch(self.am_url + "/-/ready")[0] == 200)

    def write_config(self, flaky_port):
        (self.folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{site: edge}}}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{self.am_port}"]}}]}}]}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{self.node_port}"], labels: {{room: "1"}}}}]
  - job_name: flaky
    file_sd_configs: [{{files: ["flaky.json"], refresh_interval: 1s}}]
""")
        (self.folder / "rules.yml").write_text("""
groups:
  - name: e2e
    rules:
      - {record: "job:up:sum", expr: "sum by (job) (up)"}
      - alert: FlakyDown
        expr: up{job="flaky"} == 0
        for: 2s
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is down, up={{ $value }}"}
""")
        self.set_flaky(flaky_port)

    def set_flaky(self, port):
        # One instance label for both ports, so that the alert stays the same alert.
        temporary = self.folder / "flaky.tmp"
        temporary.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": "flaky:1"}}]))
        temporary.rename(self.folder / "flaky.json")

    def start_narthex(self):
        process = self.spawn("narthex", BINARY, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-lifecycle",
                             "--scrape.discovery-reload-interval=1s", "--rules.alert.resend-delay=1s")
        wait_for("ready", lambda: process.poll() is None and fetch(self.url + "/-/ready")[0] == 200)
        return process

    def query(self, expr, at=None):
        params = {"query": expr} | ({"time": at} if at else {})
        status, body = fetch(self.url + "/api/v1/query?" + urllib.parse.urlencode(params))
        if status != 200:
            raise AssertionError(body)
        return json.loads(body)["data"]["result"]

    def am_alerts(self):
        return {a["labels"]["alertname"]: a for a in json.loads(fetch(self.am_url + "/api/v2/alerts?active=true")[1])}

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class EndToEnd(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.stop)

    def test_scrape_query_alert_resolve_kill_restart(self):
        w = self.world
        w.start_peers()
        w.write_config(flaky_port=1)  # nothing listens there
        narthex = w.start_narthex()

        wait_for("node scraped", lambda: [r for r in w.query('up{job="node",room="1"}') if r["value"][1] == "1"])
        self.assertTrue(wait_for("cpu rate", lambda: w.query("sum by (mode) (rate(node_cpu_seconds_total[10s]))")))
        wait_for("recorded series", lambda: w.query('job:up:sum{job="node"}'))

        alert = wait_for("alert at Alertmanager", lambda: w.am_alerts().get("FlakyDown"))
        self.assertEqual(alert["labels"], {"alertname": "FlakyDown", "instance": "flaky:1", "job": "flaky",
                                           "severity": "page", "site": "edge"})
        self.assertEqual(alert["annotations"]["summary"], "flaky:1 is down, up=0")

        self.check_reload(w)
        self.check_reload_by_signal(w, narthex)
        narthex = self.check_kill_and_restart(w, narthex)

        w.set_flaky(w.node_port)
        wait_for("resolved at Alertmanager", lambda: "FlakyDown" not in w.am_alerts())
        wait_for("no alert", lambda: not json.loads(fetch(w.url + "/api/v1/alerts")[1])["data"]["alerts"])

        narthex.send_signal(signal.SIGTERM)
        self.assertEqual(narthex.wait(timeout=30), 0)

    def check_reload(self, w):
        good = (w.folder / "prometheus.yml").read_text()
        (w.folder / "prometheus.yml").write_text(good + "\nnonsense: 1\n")
        status, body = fetch(w.url + "/-/reload", data=b"", method="POST")
        self.assertEqual(status, 500)
        self.assertIn("field nonsense not found in type config.plain", body)
        self.assertTrue(w.query('up{job="node"}'), "the running configuration stays")
        (w.folder / "prometheus.yml").write_text(good)
        self.assertEqual(fetch(w.url + "/-/reload", data=b"", method="POST")[0], 200)

    def check_reload_by_signal(self, w, narthex):
        def successful():
            return "prometheus_config_last_reload_successful 1\n" in fetch(w.url + "/metrics")[1]

        config = w.folder / "prometheus.yml"
        good = config.read_text()
        config.write_text(good + "\nnonsense: 1\n")
        narthex.send_signal(signal.SIGHUP)
        wait_for("refused reload", lambda: not successful())
        self.assertTrue(w.query('up{job="node"}'), "the running configuration stays")
        config.write_text(good + f"\n  - {{job_name: extra, static_configs: [{{targets: ['127.0.0.1:{w.node_port}']}}]}}\n")
        narthex.send_signal(signal.SIGHUP)
        wait_for("job of the new configuration", lambda: w.query('up{job="extra"}'))
        self.assertTrue(successful())
        config.write_text(good)
        narthex.send_signal(signal.SIGHUP)
        wait_for("end of the job", lambda: not w.query('up{job="extra"}'))

    def check_kill_and_restart(self, w, narthex):
        active_before = json.loads(fetch(w.url + "/api/v1/alerts")[1])["data"]["alerts"][0]["activeAt"]
        at = time.time()
        expr = '{job="node"}[5m]'
        before = w.query(expr, at)
        self.assertGreater(len(before), 10)
        narthex.send_signal(signal.SIGKILL)
        narthex.wait()
        narthex = w.start_narthex()
        after = w.query(expr, at)
        samples = {json.dumps(r["metric"], sort_keys=True): r["values"] for r in after}
        for r in before:
            kept = samples.get(json.dumps(r["metric"], sort_keys=True), [])
            self.assertEqual(kept[:len(r["values"])], r["values"], f"samples of {r['metric']} were lost")
        alerts = wait_for("alert after restart", lambda: json.loads(fetch(w.url + "/api/v1/alerts")[1])["data"]["alerts"])
        self.assertEqual(alerts[0]["state"], "firing", "no reset of `for`")
        seconds = len("2015-07-01T20:10:51")  # ALERTS_FOR_STATE keeps whole seconds, as upstream's does
        self.assertEqual(alerts[0]["activeAt"][:seconds], active_before[:seconds])
        return narthex


class BadInput(unittest.TestCase):
    """A server that cannot start says why and what, and exits with an error."""

    def run_narthex(self, *args, config=None):
        with tempfile.TemporaryDirectory(prefix="narthex-e2e.") as folder:
            if config is not None:
                (pathlib.Path(folder) / "prometheus.yml").write_text(config)
            return subprocess.run([BINARY, *args], cwd=folder, capture_output=True, text=True, timeout=60)

    def test_unknown_flag_is_named(self):
        result = self.run_narthex("--storage.tsdb.retention.tiem=1d")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("unknown long flag '--storage.tsdb.retention.tiem'", result.stderr)

    def test_broken_yaml_names_file_and_line(self):
        result = self.run_narthex("--web.listen-address=127.0.0.1:0", config="global:\n  scrape_interval: 1s\n bad: [\n")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("parsing YAML file prometheus.yml: yaml: line ", result.stderr)

    def test_unknown_key_names_field_and_line(self):
        result = self.run_narthex("check", "config", "prometheus.yml", config="global:\n  scrape_intervall: 1s\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("line 2: field scrape_intervall not found in type config.plain", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
