#!/usr/bin/env python3
"""A bomb among the targets: what does one page of ten million new series do to the others?

  bomb.py NARTHEX [--targets 99] [--series 1000] [--bomb 10000000] [--limit 100000]

Good targets are scraped every 5 s under --scrape.series-limit; after 40 s one more target, so far of the same kind,
answers with the bomb. Prints resident memory before and its peak in the 60 s after, and whether a sample of the
others was lost. Goal: growth of at most 10 %, no sample lost.
"""
import argparse
import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

BLOCK = 100_000  # series a piece of the bomb


class Targets(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, series, bomb):
        super().__init__(("127.0.0.1", 0), Page)
        self.good = "".join(f'm{{i="{i}",kind="steady"}} {i}\n' for i in range(series)).encode()
        self.pieces = bomb // BLOCK
        self.block = "".join(f'bomb{{x="@@@{i:05}",label="value"}} 1\n' for i in range(BLOCK)).encode()
        self.lit = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        try:
            self.wfile.write(self.server.good)
            if self.path == "/bomb" and self.server.lit.is_set():
                for k in range(self.server.pieces):
                    self.wfile.write(self.server.block.replace(b"@@@", b"%03d" % k))
        except OSError:
            print("bomb: the reader hung up")

    def log_message(self, *_):
        pass


def config(address, targets):
    numbers = ", ".join(f'"{address}/{i}"' for i in range(targets))
    # The path is what tells the targets apart.
    split = [("(.*)/(.*)", "instance", "$2"), ("(.*)/(.*)", "__metrics_path__", "/$2"), ("(.*)/.*", "__address__", "$1")]
    relabel = "".join(f"  - {{source_labels: [__address__], regex: '{regex}', target_label: {label}, replacement: '{to}'}}\n"
                      for regex, label, to in split)
    return (f"global: {{scrape_interval: 5s, scrape_timeout: 5s}}\nscrape_configs:\n- job_name: good\n"
            f"  static_configs: [{{targets: [{numbers}]}}]\n  relabel_configs:\n{relabel}"
            f"- job_name: bad\n  scrape_interval: 20s\n  scrape_timeout: 20s\n  metrics_path: /bomb\n"
            f"  static_configs: [{{targets: ['{address}']}}]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("narthex")
    parser.add_argument("--targets", type=int, default=99)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--bomb", type=int, default=10_000_000)
    parser.add_argument("--limit", type=int, default=100_000)
    args = parser.parse_args()
    targets = Targets(args.series, args.bomb)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-bomb."))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (folder / "prometheus.yml").write_text(config(f"127.0.0.1:{targets.server_address[1]}", args.targets))
    with open(folder / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [args.narthex, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", f"--scrape.series-limit={args.limit}"], stderr=log)

    def resident_kib():
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def ask(path, **parameters):
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)["data"]

    def value(expression):
        result = ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    try:
        time.sleep(40)
        before = resident_kib()
        targets.lit.set()
        peak, end = 0, time.monotonic() + 60
        while time.monotonic() < end:
            peak = max(peak, resident_kib())
            time.sleep(0.2)
        print(f"resident: {before / 1024:.1f} MiB before, peak {peak / 1024:.1f} MiB: {100 * (peak - before) / before:+.1f} %")
        bad, good = '{job="bad"}', 'count_over_time(m{job="good"}[60s])'
        print(f"the bomb: {value('scrape_samples_scraped' + bad):.0f} samples in "
              f"{value('scrape_duration_seconds' + bad):.2f} s, up {value('up' + bad):.0f}, "
              f"offenders {ask('status/tsdb').get('refusedSeriesByTarget')}")
        print(f"samples of the others in the last minute, least and most of a series: {value(f'min({good})'):.0f}, "
              f"{value(f'max({good})'):.0f}; up {value('sum(up) - sum(up' + bad + ')'):.0f} of {args.targets}")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
