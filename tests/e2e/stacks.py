#!/usr/bin/env python3
"""Runs monitoring stacks on Narthex as their users do, and beside a Prometheus where one is given.

  stacks.py NARTHEX STACKS_FOLDER [--prometheus BINARY] [--only STACK] [--speedup 50]

STACKS_FOLDER holds exporter.py and one folder a stack (prometheus.yml, rules, queries.txt, flags.txt). For each stack:
the files load unchanged, every query answers (and as the Prometheus answers, on the same exporter), every alert goes
from inactive through pending and firing to resolved, and an Alertmanager holds the same of it (labels, annotations)
as another holds from the Prometheus. Not part of the suite: the stacks are not part of this repository.
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
import threading
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


def wait_until(probe, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not probe():
        time.sleep(0.2)


def worded(annotations):
    """Annotations without their numbers: each server evaluates at moments of its own."""
    return json.dumps({k: re.sub(r"[-+]?\d[\d.e+-]*", "#", v) for k, v in annotations.items()}, sort_keys=True)


class Watch:
    """Looks at the servers and their Alertmanagers all the time, and remembers what every alert went through."""

    def __init__(self, servers, alertmanagers):
        self.servers, self.alertmanagers = servers, alertmanagers
        self.lock = threading.Lock()
        self.states = {}  # of Narthex's rules: name to the states it had, in order
        self.pends = {}  # name to whether it has a `for`
        self.held = {server: {} for server in servers}  # by Alertmanager: name to {labels and annotations}
        self.now = {server: set() for server in servers}
        self.stopped = threading.Event()
        self.look()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        while not self.stopped.wait(0.1):
            try:
                self.look()
            except (OSError, KeyError, ValueError):
                pass

    def look(self):
        groups = get(f"http://127.0.0.1:{self.servers['narthex']}/api/v1/rules?type=alert")["data"]["groups"]
        with self.lock:
            for rule in (r for g in groups for r in g["rules"]):
                seen = self.states.setdefault(rule["name"], [])
                if not seen or seen[-1] != rule["state"]:
                    seen.append(rule["state"])
                self.pends[rule["name"]] = rule["duration"] > 0
        for server, port in self.alertmanagers.items():
            alerts = get(f"http://127.0.0.1:{port}/api/v2/alerts")
            with self.lock:
                self.now[server] = {a["labels"]["alertname"] for a in alerts}
                for alert in alerts:
                    what = (json.dumps(alert["labels"], sort_keys=True), worded(alert["annotations"]))
                    self.held[server].setdefault(alert["labels"]["alertname"], set()).add(what)

    def complete(self):
        """Every alert came to every Alertmanager, and all of them hold the same."""
        with self.lock:
            return all(self.states.keys() <= held.keys() and held == self.held["narthex"] for held in self.held.values())

    def quiet(self):
        with self.lock:
            return not any(self.now.values()) and all(states[-1] == "inactive" for states in self.states.values())

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def report(self):
        complaints, through, same = [], 0, 0
        for name, states in sorted(self.states.items()):
            want = ["inactive", "pending", "firing", "inactive"] if self.pends[name] else ["inactive", "firing", "inactive"]
            went = iter(states)
            held = self.held["narthex"].get(name, set())
            if all(state in went for state in want) and held:
                through += 1
            else:
                complaints.append(f"alert {name} went through {states}, {len(held)} came to Alertmanager")
            if "prometheus" in self.held:
                theirs = self.held["prometheus"].get(name, set())
                if held == theirs:
                    same += 1
                else:
                    complaints.append(f"alert {name}: only ours {sorted(held - theirs)[:2]}, only theirs {sorted(theirs - held)[:2]}")
        text = f"{through} of {len(self.states)} alerts went from inactive through firing to resolved"
        if "prometheus" in self.held:
            text += f", {same} with the same labels and annotations as from Prometheus"
        return text, complaints


class Stack:
    def __init__(self, args, name):
        self.args, self.name = args, name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"narthex-{name}."))
        self.exporter = os.path.join(args.stacks, "exporter.py")
        self.base = port_block(20)
        self.ports = {"narthex": self.base + 15, "prometheus": self.base + 16}
        self.ams = {"narthex": self.base + 17, "prometheus": self.base + 18}  # one each
        self.watch = None
        self.control = f"http://127.0.0.1:{self.base}/control"
        self.processes = []

    def spawn(self, name, command, cwd):
        log = open(self.folder / f"{name}.log", "wb")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd))

    def start(self):
        self.spawn("exporter", [sys.executable, self.exporter, "--stack", self.name, "--base-port", str(self.base)],
                   self.folder)
        for server, am in self.ams.items():
            self.spawn(f"alertmanager-{server}", [
                shutil.which("prometheus-alertmanager"), "--config.file=am.yml", "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{am}", f"--storage.path={self.folder}/am-{server}"], self.folder)
        (self.folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        for server, binary in (("narthex", self.args.narthex), ("prometheus", self.args.prometheus)):
            if not binary:
                continue
            d = self.folder / server
            d.mkdir()
            subprocess.run([sys.executable, self.exporter, "--stack", self.name, "--base-port", str(self.base),
                            "--render", str(d), "--self-port", str(self.ports[server]), "--alertmanager-port",
                            str(self.ams[server]),
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

    def drive_alerts(self):
        """Switches every scenario on, then one after the other, then takes jobs down, until all alerts were seen."""
        state = get(self.control)
        steps = ["set=" + ",".join(state["scenarios"])] + ["clear=all&set=" + s for s in state["scenarios"]]
        steps += ["clear=all&down=" + j for j in state["jobs"]]
        for step in steps:
            if self.watch.complete():
                break
            get(self.control + "?" + step)
            wait_until(self.watch.complete, 30)
            if "down=" in step:
                get(self.control + "?up=all")
        get(self.control + "?clear=all")
        get(self.control + "?up=all")
        wait_until(self.watch.quiet, 60)

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
            servers = [server for server in self.ports if server == "narthex" or self.args.prometheus]
            self.watch = Watch({s: self.ports[s] for s in servers}, {s: self.ams[s] for s in servers})
            self.drive_alerts()
            self.watch.stop()
            time.sleep(4)
            total, answered, agreed, problems = self.compare_queries()
            beside = f", {agreed} with the same series as Prometheus" if self.args.prometheus else ""
            alerts, complaints = self.watch.report()
            print(f"{self.name}: {alerts}; {answered} of {total} queries answered{beside}")
            for problem in complaints + problems:
                print(f"  {problem}")
            return not complaints and answered == total
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
