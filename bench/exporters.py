#!/usr/bin/env python3
"""Bytes a sample of real exporters' pages: node_exporter, Prometheus and VictoriaMetrics, scraped once a second by Narthex,
Prometheus and VictoriaMetrics at once. Settled is a snapshot with the head (Narthex, Prometheus) or a forced merge
(VictoriaMetrics), the index in it. Binaries: NARTHEX_BIN, PROMETHEUS_BIN, VICTORIA_BIN, NODE_EXPORTER_BIN."""
import argparse
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse

CONFIG = "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n" + "".join(
    "  - {{job_name: %s, static_configs: [{{targets: ['127.0.0.1:{%s}']}}]}}\n" % (job, job)
    for job in ("node", "prometheus", "victoria")
)


def ask(port, method, path, params=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body = urllib.parse.urlencode(params) if params else None
    connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def size_of(folder):
    seen, total = set(), 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                status = os.lstat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total


def samples_of(port):
    """Those of the pages, and the five that each scrape adds."""
    query = "sum(sum_over_time(scrape_samples_post_metric_relabeling[6h])) + 5 * sum(count_over_time(up[6h]))"
    answer = json.loads(ask(port, "POST", "/api/v1/query", {"query": query, "nocache": 1})[1])
    return float(answer["data"]["result"][0]["value"][1])


def settled(name, port, folder):
    """Bytes, and the seconds that the snapshot took."""
    begin = time.monotonic()
    if name == "victoria":
        ask(port, "GET", "/internal/force_merge")
        time.sleep(10)
        return size_of(os.path.join(folder, "data")) + size_of(os.path.join(folder, "indexdb")), 0
    status, body = ask(port, "POST", "/api/v1/admin/tsdb/snapshot")
    taken = time.monotonic() - begin
    assert status == 200, body
    snapshot = os.path.join(folder, "snapshots", json.loads(body)["data"]["name"])
    bytes_ = size_of(snapshot)
    shutil.rmtree(snapshot)
    return bytes_, taken


def report(servers):
    print("| system | samples | bytes a sample | snapshot seconds |\n| --- | ---: | ---: | ---: |")
    for name, port, folder in servers:
        samples = samples_of(port)
        bytes_, taken = settled(name, port, folder)
        print(f"| {name} | {samples:.0f} | {bytes_ / samples:.3f} | {taken:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--port", type=int, default=26100, help="the first of four")
    parser.add_argument("--folder", help="for the data; kept if given")
    args = parser.parse_args()
    folder = args.folder or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    node, prometheus, victoria, narthex = range(args.port, args.port + 4)
    config = os.path.join(folder, "prometheus.yml")
    with open(config, "w") as file:
        file.write(CONFIG.format(node=node, prometheus=prometheus, victoria=victoria))

    def like_prometheus(name, port):
        return [os.environ[name.upper() + "_BIN"], "--config.file=" + config, "--web.enable-admin-api",
                f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder}/{name}"]  # fmt: skip

    commands = [
        [os.environ.get("NODE_EXPORTER_BIN", "prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{node}"],
        like_prometheus("prometheus", prometheus),
        [os.environ["VICTORIA_BIN"], f"-storageDataPath={folder}/victoria", f"-httpListenAddr=127.0.0.1:{victoria}",
         "-promscrape.config=" + config],
        like_prometheus("narthex", narthex),
    ]  # fmt: skip
    log = open(os.path.join(folder, "log"), "ab")
    running = []
    try:
        for command in commands:
            running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        time.sleep(args.minutes * 60)
        ports = {"prometheus": prometheus, "victoria": victoria, "narthex": narthex}
        report([(name, port, os.path.join(folder, name)) for name, port in ports.items()])
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        if not args.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
