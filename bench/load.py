#!/usr/bin/env python3
"""Load on the HTTP API, beside Prometheus on the same history and the same targets.

bench/load.py dashboards NARTHEX [PROMETHEUS] [--seconds 60] [--connections 64] [--series 2000] [--hours 3]
    wrk with a mixed dashboard load: errors, requests a CPU second of the server, memory after 10 s and at the end.
bench/load.py stream NARTHEX [PROMETHEUS] [--series 500] [--hours 6]
    The memory that a range answer of 100 MB and more adds, to a fast and to a slow client, with and without gzip.
bench/load.py soak NARTHEX [--minutes 10]
    Scrapes every second, rules, queries and reloads: memory over time.
"""
import argparse
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from load_world import Server, series, start_exporter, write_past

# (path, parameters); a range of `range` seconds up to now is put in where there is one.
DASHBOARD = [
    ("/api/v1/query_range", {"query": "sum by (host) (rate(requests_total[5m]))", "range": 3600, "step": 15}),
    ("/api/v1/query_range", {"query": "histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))", "range": 3600, "step": 15}),
    ("/api/v1/query_range", {"query": "max by (host) (temperature_celsius)", "range": 3600, "step": 15}),
    ("/api/v1/query_range", {"query": 'temperature_celsius{host="h3"}', "range": 3600, "step": 30}),
    ("/api/v1/query_range", {"query": "topk(5, sum by (path) (rate(requests_total[1m])))", "range": 900, "step": 15}),
    ("/api/v1/query_range", {"query": 'sum(rate(requests_total{code=~"5..|404"}[5m])) / sum(rate(requests_total[5m]))', "range": 3600, "step": 30}),
    ("/api/v1/query", {"query": "sum(rate(requests_total[5m]))"}),
    ("/api/v1/query", {"query": 'avg_over_time(temperature_celsius{host="h1"}[10m])'}),
    ("/api/v1/query", {"query": "count by (job) (up)"}),
    ("/api/v1/labels", {"range": 3600}),
    ("/api/v1/label/host/values", {"range": 3600}),
    ("/api/v1/label/__name__/values", {"match[]": '{__name__=~".*temp.*"}'}),
    ("/api/v1/series", {"match[]": 'requests_total{host="h1"}', "range": 3600}),
    ("/api/v1/metadata", {"limit": 100}),
    ("/api/v1/status/buildinfo", {}),
]

SCRIPT = """
local targets = {%s}
local at = 0
request = function()
  at = at %% #targets + 1
  return wrk.format("GET", targets[at])
end
done = function(summary, latency, requests)
  io.write(string.format('RESULT {"requests": %%d, "connect": %%d, "read": %%d, "write": %%d, "status": %%d, "timeout": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def with_range(parameters, now):
    out = {name: v for name, v in parameters.items() if name != "range"}
    if "range" in parameters:
        out.update(start=now - parameters["range"], end=now)
    return out


def targets(now):
    return [f"{path}?{urllib.parse.urlencode(with_range(parameters, now))}" for path, parameters in DASHBOARD]


def dashboards(name, server, args):
    now = int(time.time()) // 60 * 60
    for path, parameters in DASHBOARD:  # each must answer with success before it counts
        assert json.loads(server.get(path, **with_range(parameters, now)))["status"] == "success", path
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % ", ".join(json.dumps(one) for one in targets(now)))
        script.flush()
        before = server.cpu_s()
        command = ["wrk", "-t", "2", "-c", str(args.connections), "-d", f"{args.seconds}s", "--timeout", "30s", "-s", script.name,
                   "-H", "Accept-Encoding: gzip", server.url]
        wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(10)
        early = server.memory_mib()
        out, _ = wrk.communicate(timeout=args.seconds + 60)
        late = server.memory_mib()
    cpu = server.cpu_s() - before
    result = json.loads(next(line for line in out.splitlines() if line.startswith("RESULT "))[7:])
    errors = sum(result[kind] for kind in ("connect", "read", "write", "status", "timeout"))
    rate = result["requests"] / cpu
    print(f"| {name} | {result['requests']} | {errors} | {cpu:.1f} | {rate:.0f} | {result['p50']:.0f} / {result['p99']:.0f} | {early:.0f} | {late:.0f} |", flush=True)
    return rate


def fetch(server, path, gzip, pace):
    """Reads an answer by a plain socket: `pace` seconds between two reads of 64 KiB. The bytes received."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=300) as connection:
        accept = "Accept-Encoding: gzip\r\n" if gzip else ""
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{accept}\r\n".encode())
        total = 0
        while data := connection.recv(64 << 10):
            total += len(data)
            if pace:
                time.sleep(pace)
        return total


def stream(name, server, _args):
    end = int(time.time()) // 60 * 60
    query = urllib.parse.urlencode({"query": '{__name__=~"temperature_celsius|requests_total|latency_seconds_bucket",job="past"}', "start": end - 6 * 3600, "end": end, "step": 2})
    for gzip, pace in [(False, 0), (True, 0), (False, 0.01), (True, 0.05)]:
        server.reset_peak()
        before, cpu = server.memory_mib(), server.cpu_s()
        total = fetch(server, "/api/v1/query_range?" + query, gzip, pace)
        print(f"| {name} | {'slow' if pace else 'fast'} | {'gzip' if gzip else 'plain'} | {total / 1e6:.1f} | {before:.0f} | "
              f"{server.memory_mib('VmHWM'):.0f} | {server.cpu_s() - cpu:.1f} |", flush=True)


def soak(args):
    exporter = start_exporter(series(args.series))
    server = Server(args.narthex, interval="1s", rules=True)
    server.scrape(exporter.server_port)
    over = threading.Event()
    counts = {"queries": 0, "reloads": 0, "errors": 0}

    def ask():
        while not over.is_set():
            for path, parameters in DASHBOARD:
                try:
                    server.get(path, **with_range({**parameters, **({"range": 600} if "range" in parameters else {})}, int(time.time())))
                    counts["queries"] += 1
                except OSError as error:
                    counts["errors"] += 1
                    print(f"{path}: {error}", flush=True)
            over.wait(0.2)

    asker = threading.Thread(target=ask)
    asker.start()
    began = time.monotonic()
    memory = []
    try:
        while time.monotonic() < began + args.minutes * 60:
            time.sleep(10)
            server.reload()
            counts["reloads"] += 1
            memory.append(server.memory_mib())
            print(f"{time.monotonic() - began:6.0f} s  {memory[-1]:7.1f} MiB  {counts}", flush=True)
    finally:
        over.set()
        asker.join()
        server.stop()
        exporter.shutdown()
    third = len(memory) // 3
    middle, last = (sum(part) / len(part) for part in (memory[third : 2 * third], memory[-third:]))
    print(f"mean of the second third {middle:.1f} MiB, of the last {last:.1f} MiB")


def side_by_side(args, measure, head):
    exporter = start_exporter(series(args.series))
    rates = []
    print(head, flush=True)
    for name, binary in [("Narthex", args.narthex), ("Prometheus", args.prometheus)]:
        if not binary:
            continue
        server = Server(binary)
        try:
            write_past(server.port, series(args.series), args.hours)
            server.scrape(exporter.server_port)
            time.sleep(20)  # a scrape of the live series
            rates.append(measure(name, server, args))
        finally:
            server.stop()
    exporter.shutdown()
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["dashboards", "stream", "soak"])
    parser.add_argument("narthex", type=lambda text: str(pathlib.Path(text).resolve()))
    parser.add_argument("prometheus", nargs="?")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--series", type=int)
    parser.add_argument("--hours", type=int)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    args.series = args.series or {"dashboards": 2000, "stream": 500, "soak": 1000}[args.what]
    args.hours = args.hours or {"dashboards": 3, "stream": 6, "soak": 0}[args.what]
    if args.what == "soak":
        soak(args)
    elif args.what == "stream":
        side_by_side(args, stream, "| server | client | coding | MB received | RSS before, MiB | peak RSS, MiB | CPU s |\n" + "|---" * 7 + "|")
    else:
        if shutil.which("wrk") is None:
            raise SystemExit("wrk is missing: apt-get install wrk")
        rates = side_by_side(args, dashboards, "| server | requests | errors | CPU s | requests / CPU s | median / p99, ms | RSS at 10 s, MiB | RSS at the end, MiB |\n" + "|---" * 8 + "|")
        if len(rates) == 2:
            print(f"requests a CPU second: {rates[0] / rates[1]:.1f} times Prometheus's")


if __name__ == "__main__":
    main()
