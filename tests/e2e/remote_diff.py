#!/usr/bin/env python3
"""Narthex and Prometheus 3 write to and read from each other.

One exporter, scraped by the sender; the receiver must end up with the same samples, also after it was away for a while.
Usage: remote_diff.py NARTHEX_BINARY. PROMETHEUS_BIN names the other program; without it only Narthex to Narthex runs.
"""
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from parts import free_port, wait_for

NARTHEX = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/release/narthex"
PROMETHEUS = os.environ.get("PROMETHEUS_BIN", "")


class Target(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        Target.count += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(f"# HELP ticks_total Ticks.\n# TYPE ticks_total counter\nticks_total {Target.count}\n"
                         f'# TYPE level gauge\nlevel{{x="1"}} 0.25\n'.encode())

    def log_message(self, *_):
        pass


def query(port, expression, when=None):
    parameters = {"query": expression} | ({"time": when} if when else {})
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)["data"]["result"]


class Remote(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-remote."))
        self.processes = {}
        self.target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
        threading.Thread(target=self.target.serve_forever, daemon=True).start()

    def tearDown(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(90)
        self.target.shutdown()
        self.target.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, binary, port, config):
        file = self.folder / f"{name}.yml"
        file.write_text(config)
        with open(self.folder / f"{name}.log", "a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                [binary, f"--config.file={file}", f"--storage.tsdb.path={self.folder}/{name}",
                 f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"],
                stdout=log, stderr=log, cwd=self.folder)
        wait_for(name, lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).status == 200)

    def stop(self, name, how=signal.SIGTERM):
        self.processes[name].send_signal(how)
        self.processes[name].wait(90)

    def sender_config(self, receiver_port, message):
        return f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{site: edge}}}}
scrape_configs: [{{job_name: t, static_configs: [{{targets: ["127.0.0.1:{self.target.server_port}"]}}]}}]
remote_write:
- url: http://127.0.0.1:{receiver_port}/api/v1/write
  protobuf_message: {message}
  queue_config: {{batch_send_deadline: 500ms, max_backoff: 500ms}}
  write_relabel_configs: [{{source_labels: [__name__], regex: "scrape_.*", action: drop}}]
"""

    def samples(self, port, expression, start, end, site):
        """All samples of a series in [start, end]: (time, value)."""
        selector = expression.replace("}", ',site="edge"}' if site else "}").replace("{,", "{")
        result = query(port, f"{selector}[{end - start}s]", end)
        return [tuple(point) for point in result[0]["values"]] if result else []

    def check_outage(self, sender, receiver, message):
        ports = free_port(), free_port()
        self.start("receiver", receiver, ports[1], "global: {}")
        self.start("sender", sender, ports[0], self.sender_config(ports[1], message))
        began = int(time.time())
        wait_for("first samples", lambda: query(ports[1], 'ticks_total{site="edge"}'))
        self.stop("receiver", signal.SIGKILL)
        time.sleep(4)
        self.stop("sender", signal.SIGKILL)  # and the backlog has to survive its sender
        self.start("sender", sender, ports[0], self.sender_config(ports[1], message))
        time.sleep(2)
        self.start("receiver", receiver, ports[1], "global: {}")
        wait_for("samples after the outage", lambda: query(ports[1], 'ticks_total{site="edge"}'))
        # Enough of them from before, within and after.
        wait_for("samples of the sender",
                 lambda: len(self.samples(ports[0], 'up{job="t"}', began + 1, int(time.time()), False)) > 8)
        end = int(time.time())
        time.sleep(3)
        for series in ["ticks_total{}", 'level{x="1"}', 'up{job="t"}']:
            sent = self.samples(ports[0], series, began + 1, end, False)
            self.assertGreater(len(sent), 5)
            wait_for(f"all samples of {series}", lambda s=series, w=sent: self.samples(ports[1], s, began + 1, end, True) == w)
        self.assertEqual(query(ports[1], "scrape_duration_seconds"), [])

    def check_read(self, reader, source):
        """What `source` has can be queried at `reader`."""
        ports = free_port(), free_port()
        self.start("source", source, ports[1], f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: t, static_configs: [{{targets: ["127.0.0.1:{self.target.server_port}"]}}]}}]
""")
        self.start("reader", reader, ports[0],
                   f'remote_read: [{{url: "http://127.0.0.1:{ports[1]}/api/v1/read", read_recent: true}}]')
        wait_for("samples", lambda: query(ports[1], "count_over_time(ticks_total[1m]) > 3"))
        now = int(time.time())
        wanted = query(ports[1], "ticks_total[1m]", now)
        self.assertTrue(wanted)
        self.assertEqual(query(ports[0], "ticks_total[1m]", now), wanted)
        self.assertEqual(query(ports[0], "sum(level) by (x)", now), query(ports[1], "sum(level) by (x)", now))

    def test_narthex_to_narthex_1(self):
        self.check_outage(NARTHEX, NARTHEX, "prometheus.WriteRequest")

    def test_narthex_to_narthex_2(self):
        self.check_outage(NARTHEX, NARTHEX, "io.prometheus.write.v2.Request")

    @unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
    def test_narthex_to_prometheus_1(self):
        self.check_outage(NARTHEX, PROMETHEUS, "prometheus.WriteRequest")

    @unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
    def test_narthex_to_prometheus_2(self):
        self.check_outage(NARTHEX, PROMETHEUS, "io.prometheus.write.v2.Request")

    @unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
    def test_prometheus_to_narthex(self):
        for message in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"]:
            with self.subTest(message):
                ports = free_port(), free_port()
                self.start("receiver", NARTHEX, ports[1], "global: {}")
                self.start("sender", PROMETHEUS, ports[0], self.sender_config(ports[1], message))
                wait_for("samples", lambda p=ports[1]: query(p, 'count_over_time(ticks_total{site="edge"}[1m]) > 3'))
                self.stop("sender")
                self.stop("receiver")

    def test_narthex_reads_narthex(self):
        self.check_read(NARTHEX, NARTHEX)

    @unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
    def test_narthex_reads_prometheus(self):
        self.check_read(NARTHEX, PROMETHEUS)

    @unittest.skipUnless(PROMETHEUS, "PROMETHEUS_BIN is not set")
    def test_prometheus_reads_narthex(self):
        self.check_read(PROMETHEUS, NARTHEX)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:])
