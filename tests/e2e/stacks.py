#!/usr/bin/env python3
"""Runs monitoring stacks on Narthex as their users do, and beside a Prometheus where one is given.

  stacks.py NARTHEX STACKS_FOLDER [--prometheus BINARY] [--only STACK] [--speedup 50]

STACKS_FOLDER holds exporter.py and one folder a stack (prometheus.yml, rules, queries.txt, flags.txt). For each stack:
the files load unchanged, every query answers (and as the Prometheus answers, on the same exporter), every alert fires
and arrives at an Alertmanager. Not part of the suite: the stacks are not part of this repository.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request


def port_block(count):
    """A base port with `count` free ports from it on."""
    for base in range(23000, 60000, count + 7):
        try:
            for i in range(count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", base + i))
            return base
        except OSError:
            continue
    raise SystemExit("no free ports")


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read() or b"{}")


def query(port, expr, at):
    return get(f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expr, "time": at}))


def speed_up(expr, factor):
    """The range windows of a query divided, as exporter.py does for the rendered files."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def divide(match):
        ms = max(1, round(int(match.group(1)) * units[match.group(2)] * 1000 / factor))
        return (f"{ms // 1000}s" if ms >= 1000 else "") + (f"{ms % 1000}ms" if ms % 1000 else "")

    return re.sub(r"(?<=[\[: ])(\d+)([smhd])(?=[\]: ]|$)", divide, expr)


def result_map(answer):
    data = answer.get("data", {})
    if data.get("resultType") != "vector":
        return {"": data.get("result")}
    return {json.dumps(r["metric"], sort_keys=True): r for r in data["result"]}


class Stack:
    def __init__(self, args, name):
        self.args, self.name = args, name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"narthex-{name}."))
        self.exporter = os.path.join(args.stacks, "exporter.py")
        self.base = port_block(20)
        self.ports = {"narthex": self.base + 15, "prometheus": self.base + 16}
        self.am = self.base + 17
        self.control = f"http://127.0.0.1:{self.base}/control"
        self.processes = []

    def spawn(self, name, command, cwd):
        log = open(self.folder / f"{name}.log", "wb")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd))

    def start(self):
        self.spawn("exporter", [sys.executable, self.exporter, "--stack", self.name, "--base-port", str(self.base)],
                   self.folder)
        self.spawn("alertmanager", [shutil.which("prometheus-alertmanager"), "--config.file=am.yml",
                                    f"--web.listen-address=127.0.0.1:{self.am}", "--cluster.listen-address=",
                                    f"--storage.path={self.folder}/am"], self.folder)
        (self.folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        for server, binary in (("narthex", self.args.narthex), ("prometheus", self.args.prometheus)):
            if not binary:
                continue
            d = self.folder / server
            d.mkdir()
            # Only Narthex's alerts go to the Alertmanager that is looked at.
            am = self.am if server == "narthex" else self.base + 18
            subprocess.run([sys.executable, self.exporter, "--stack", self.name, "--base-port", str(self.base),
                            "--render", str(d), "--self-port", str(self.ports[server]), "--alertmanager-port", str(am),
                            "--speedup", str(self.args.speedup)], check=True, stdout=subprocess.DEVNULL)
            flags = [l.strip() for l in (pathlib.Path(self.args.stacks) / self.name / "flags.txt").read_text().splitlines()
                     if l.strip() and not l.startswith("#")]
            self.spawn(server, [binary, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                                f"--web.listen-address=127.0.0.1:{self.ports[server]}", *flags], d)

    def wait_ready(self):
        for server, port in self.ports.items():
            if server == "prometheus" and not self.args.prometheus:
                continue
            for _ in range(300):
                try:
                    if get(f"http://127.0.0.1:{port}/api/v1/query?query=up")["data"]["result"]:
                        break
                except (OSError, KeyError, ValueError):
                    pass
                time.sleep(0.1)
            else:
                raise AssertionError(f"{server} did not come up: " + (self.folder / f"{server}.log").read_text()[-2000:])

    def fired(self):
        return {a["labels"]["alertname"] for a in get(f"http://127.0.0.1:{self.am}/api/v2/alerts")}

    def alert_names(self):
        groups = get(f"http://127.0.0.1:{self.ports['narthex']}/api/v1/rules?type=alert")["data"]["groups"]
        return {r["name"] for g in groups for r in g["rules"]}

    def drive_alerts(self):
        """Switches every scenario on, then one after the other, then takes jobs down, until all alerts were seen."""
        state = get(self.control)
        wanted, seen = self.alert_names(), set()
        steps = ["set=" + ",".join(state["scenarios"])] + ["clear=all&set=" + s for s in state["scenarios"]]
        steps += ["clear=all&down=" + j for j in state["jobs"]]
        for step in steps:
            if wanted <= seen:
                break
            get(self.control + "?" + step)
            for _ in range(30):
                time.sleep(1)
                seen |= self.fired()
                if wanted <= seen:
                    break
            if "down=" in step:
                get(self.control + "?up=all")
        return wanted, seen

    def compare_queries(self):
        lines = (pathlib.Path(self.args.stacks) / self.name / "queries.txt").read_text().splitlines()
        queries = [speed_up(l, self.args.speedup) for l in lines if l.strip() and not l.startswith("#")]
        at = time.time() - 1
        answered, agreed, problems = 0, 0, []
        for expr in queries:
            ours = query(self.ports["narthex"], expr, at)
            if ours.get("status") == "success":
                answered += 1
            else:
                problems.append(f"{expr}: {ours}")
                continue
            if not self.args.prometheus:
                continue
            theirs = query(self.ports["prometheus"], expr, at)
            a, b = result_map(ours), result_map(theirs)
            # Both scrape at moments of their own, so values may differ by what passed in between; series may not.
            own = lambda keys: {k for k in keys if '"prometheus"' not in k}
            if own(a) == own(b):
                agreed += 1
            else:
                problems.append(f"{expr}: only ours {sorted(own(a) - own(b))[:3]}, only theirs {sorted(own(b) - own(a))[:3]}")
        return len(queries), answered, agreed, problems

    def run(self):
        try:
            self.start()
            self.wait_ready()
            wanted, seen = self.drive_alerts()
            get(self.control + "?clear=all")
            get(self.control + "?up=all")
            time.sleep(4)
            total, answered, agreed, problems = self.compare_queries()
            beside = f", {agreed} with the same series as Prometheus" if self.args.prometheus else ""
            print(f"{self.name}: {len(wanted & seen)} of {len(wanted)} alerts arrived; {answered} of {total} queries answered{beside}")
            for name in sorted(wanted - seen):
                print(f"  alert {name} did not arrive")
            for problem in problems:
                print(f"  {problem}")
            return wanted <= seen and answered == total
        finally:
            for process in self.processes:
                process.terminate()
            for process in self.processes:
                process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("narthex", type=os.path.abspath)
    parser.add_argument("stacks", type=os.path.abspath)
    parser.add_argument("--prometheus", type=os.path.abspath)
    parser.add_argument("--only", default="")
    parser.add_argument("--speedup", type=float, default=50)
    args = parser.parse_args()
    names = [d.name for d in sorted(pathlib.Path(args.stacks).iterdir()) if (d / "queries.txt").is_file()]
    results = [Stack(args, name).run() for name in names if args.only in name]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
