"""What the load measurements share: an exporter, a past written by remote write, servers and their figures."""
import http.server
import math
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

STEP_S = 15
HOSTS = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def series(count):
    """Labels of counters, gauges and buckets of HOSTS machines."""
    out = []
    for i in range(count):
        host, kind, n = f"h{i % HOSTS}", i // HOSTS % 3, i // HOSTS // 3
        if kind == 0:
            out.append({"__name__": "requests_total", "host": host, "path": f"/p{n % 40}", "code": f"{200 + n // 40 % 5}"})
        elif kind == 1:
            out.append({"__name__": "temperature_celsius", "host": host, "sensor": f"s{n}"})
        else:
            out.append({"__name__": "latency_seconds_bucket", "host": host, "shard": f"{n // 10}", "le": str([0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, "+Inf"][n % 10])})
    return out


def value(labels, i, t):
    if labels["__name__"] == "temperature_celsius":
        return round(40 + 10 * math.sin(t / 900 + i), 2)
    if labels["__name__"] == "requests_total":
        return float(int(t % 1e6) * (1 + i % 17))
    le = labels["le"]
    return float(int(t % 1e6) * (11 if le == "+Inf" else 1 + [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10].index(float(le))))


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def snappy(data):
    """All of it as literals."""
    out = [varint(len(data))]
    for at in range(0, len(data), 65536):
        piece = data[at : at + 65536]
        out.append(struct.pack("<BH", 61 << 2, len(piece) - 1) + piece)
    return b"".join(out)


def write_past(port, all_series, hours):
    """`hours` of past, in order of time, a few minutes a request."""
    now = int(time.time()) // STEP_S * STEP_S - STEP_S
    heads = [
        b"".join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in sorted({**labels, "job": "past"}.items()))
        for labels in all_series
    ]
    for first in range(now - hours * 3600, now, 20 * STEP_S):
        body = bytearray()
        for i, labels in enumerate(all_series):
            samples = b"".join(
                field(2, b"\x09" + struct.pack("<d", value(labels, i, t)) + b"\x10" + varint(t * 1000))
                for t in range(first, min(first + 20 * STEP_S, now), STEP_S)
            )
            body += field(1, heads[i] + samples)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/write", data=snappy(bytes(body)),
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        urllib.request.urlopen(request, timeout=60).read()


class Exporter(http.server.BaseHTTPRequestHandler):
    pages = []  # labels as text, with what value() needs

    def do_GET(self):
        t = time.time()
        body = "".join(f"{text} {value(labels, i, t)}\n" for i, (text, labels) in enumerate(self.pages)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start_exporter(all_series):
    def text(labels):
        pairs = ",".join(f'{n}="{v}"' for n, v in labels.items() if n != "__name__")
        return f"{labels['__name__']}{{{pairs}}}"

    handler = type("Page", (Exporter,), {"pages": [(text(labels), labels) for labels in all_series]})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


CONFIG = """
global: {{scrape_interval: {interval}, scrape_timeout: 1s, evaluation_interval: {interval}}}
{rules}
scrape_configs:
- job_name: app
  static_configs: [{{targets: [{targets}]}}]
"""

RULES = """
groups:
- name: load
  rules:
  - {record: "host:requests:rate1m", expr: "sum by (host) (rate(requests_total[1m]))"}
  - {record: "host:latency:p90", expr: "histogram_quantile(0.9, sum by (host, le) (rate(latency_seconds_bucket[1m])))"}
  - {alert: Hot, expr: "temperature_celsius > 49.9", annotations: {summary: "{{ $labels.host }} is at {{ $value }}"}}
"""


class Server:
    """A Narthex or a Prometheus, in a folder of its own. It scrapes nothing before scrape(): what is older than an hour
    could not be written after the first scrape."""

    def __init__(self, binary, interval="15s", rules=False):
        self.folder = tempfile.TemporaryDirectory(prefix="narthex-load.")
        folder = pathlib.Path(self.folder.name)
        self.config = folder / "prometheus.yml"
        (folder / "rules.yml").write_text(RULES)
        self.settings = {"interval": interval, "rules": "rule_files: [rules.yml]" if rules else ""}
        self.config.write_text(CONFIG.format(targets="", **self.settings))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [binary, f"--config.file={self.config}", f"--storage.tsdb.path={folder}/data", "--query.max-samples=500000000",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--web.enable-lifecycle"],
                stdout=log, stderr=log, cwd=folder)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(self.url + "/-/ready", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise SystemExit(f"{binary} does not start: {(folder / 'log').read_text()[-2000:]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.folder.cleanup()

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, name="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
        raise SystemExit(f"no {name}")

    def reset_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def get(self, path, **parameters):
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.read()

    def scrape(self, exporter_port):
        self.config.write_text(CONFIG.format(targets=f'"127.0.0.1:{exporter_port}"', **self.settings))
        self.reload()

    def reload(self):
        urllib.request.urlopen(urllib.request.Request(self.url + "/-/reload", method="POST"), timeout=60).read()
