#!/usr/bin/env python3
"""CPU seconds of 1,000 rules, Narthex beside Prometheus with the same files.

bench/rules.py NARTHEX PROMETHEUS [--series N] [--rules N] [--seconds N]

Each program runs twice at once, with the rules and without; what the rules cost is the difference.
"""
import argparse
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Exporter(http.server.BaseHTTPRequestHandler):
    """Counters of hosts, paths and codes; every scrape adds to them."""

    series = 0
    start = time.time()

    def do_GET(self):
        seconds = int(time.time() - self.start)
        lines = ["# TYPE requests_total counter"]
        for i in range(self.series):
            lines.append(
                f'requests_total{{host="h{i % 100}",path="/p{i // 100 % 50}",code="{200 + i // 5000 % 5}"}} '
                f"{seconds * (i % 17)}"
            )
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def write_rules(path, count):
    """Half recording rules, half alerts, in groups of 50; each reads the series of one host or path."""
    shapes = [
        ("sum by (path) (rate(requests_total{{host=\"h{h}\"}}[1m]))", False),
        ("sum(rate(requests_total{{path=\"/p{p}\",code=~\"20.\"}}[2m])) by (code) > 1e9", True),
        ("max by (code) (requests_total{{host=\"h{h}\"}})", False),
        ("requests_total{{host=\"h{h}\",path=\"/p{p}\"}} > 5", True),
    ]
    out = ["groups:"]
    for i in range(count):
        if i % 50 == 0:
            out += [f"- name: g{i // 50}", "  rules:"]
        expr, alert = shapes[i % len(shapes)]
        expr = expr.format(h=i % 100, p=i % 50)
        out.append(f"  - {'alert' if alert else 'record'}: {'A' if alert else 'r:'}{i}")
        out.append(f"    expr: '{expr}'")
        if alert:
            out.append("    for: 30s")
            out.append("    annotations: {summary: '{{ $labels.host }} has {{ $value | humanize }}'}")
    path.write_text("\n".join(out) + "\n")


class Server:
    def __init__(self, program, folder, target, rules):
        folder.mkdir()
        self.port = free_port()
        config = ["global: {scrape_interval: 15s, evaluation_interval: 15s}"]
        config += [f"scrape_configs: [{{job_name: x, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]"]
        if rules:
            config.append(f"rule_files: ['{rules}']")
        (folder / "prometheus.yml").write_text("\n".join(config) + "\n")
        self.process = subprocess.Popen(
            [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=open(folder / "log", "w"))

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def evaluations(self):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("prometheus_rule_evaluations_total"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("narthex")
    parser.add_argument("prometheus")
    parser.add_argument("--series", type=int, default=25_000)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=120)
    args = parser.parse_args()
    Exporter.series = args.series
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        rules = root / "rules.yml"
        write_rules(rules, args.rules)
        servers = {}
        for name, program in (("narthex", args.narthex), ("prometheus", args.prometheus)):
            for kind, file in (("rules", rules), ("none", None)):
                servers[name, kind] = Server(program, root / f"{name}-{kind}", exporter.server_port, file)
        try:
            time.sleep(60)
            before = {key: server.cpu_seconds() for key, server in servers.items()}
            counts = {name: servers[name, "rules"].evaluations() for name in ("narthex", "prometheus")}
            time.sleep(args.seconds)
            used = {key: server.cpu_seconds() - before[key] for key, server in servers.items()}
            cost = {}
            for name in ("narthex", "prometheus"):
                evaluations = servers[name, "rules"].evaluations() - counts[name]
                cost[name] = used[name, "rules"] - used[name, "none"]
                print(f"{name:10}  with rules {used[name, 'rules']:7.2f} s  without {used[name, 'none']:6.2f} s  "
                      f"rules {cost[name]:7.2f} s  {evaluations:.0f} evaluations  "
                      f"{1e6 * cost[name] / max(evaluations, 1):.0f} us each")
            print(f"Prometheus / Narthex: {cost['prometheus'] / max(cost['narthex'], 1e-9):.1f}")
        finally:
            for server in servers.values():
                server.stop()
            exporter.shutdown()


if __name__ == "__main__":
    main()
