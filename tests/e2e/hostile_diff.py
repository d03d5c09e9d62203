#!/usr/bin/env python3
"""Narthex and Prometheus 3 scrape the same misbehaving targets; what both say and store of them must agree.

Health and error text of each target, scrape_* samples, every series and value. What differs on purpose is in WORDS and SAMPLES.
Usage: hostile_diff.py NARTHEX_BINARY. PROMETHEUS_BIN names the other program; without it everything is skipped.
"""
import json
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
import urllib.parse
from datetime import datetime, timezone

import exposition_pages
from hostile_pages import JOBS, PAGES, Server
from parts import fetch, free_port, wait_for

NARTHEX = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/release/narthex"
PROMETHEUS = os.environ.get("PROMETHEUS_BIN", "")
PAGES.update(exposition_pages.pages())
# Job: why its error text differs.
WORDS = {
    "header_garbage": "libcurl does not hand out the line that is no header",
    "negative_length": "nor a length that is none",
    "not_http": "nor a first line that is not HTTP's",
    "status_garbage": "nor a status that is no number",
    "openmetrics_blank_end": "Prometheus takes the line and stumbles over the next",
    "openmetrics_exemplar_blanks": "the same",
    "openmetrics_exemplar_no_labels": "the same",
    "text_label_only": "Prometheus takes x in {x} for a name; without a name before it, it ends",
}
# Job: why what is stored differs.
SAMPLES = {
    "blanks": "Prometheus takes the blanks before a name into the name",
    "openmetrics_blank_end": "the line counts as scraped",
    "openmetrics_exemplar_blanks": "the same",
    "openmetrics_exemplar_no_labels": "the same",
}
INTERVAL = 3  # seconds
UNREACHABLE = {
    "refused": "targets: ['127.0.0.1:1']",
    "no_name": "targets: ['no.such.name.invalid:80']",
    "bad_port": "targets: ['127.0.0.1:99999']",
}


def config(port):
    jobs = []
    for name in PAGES:
        jobs.append(f"- job_name: {name}\n  metrics_path: /{name}\n"
                    f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
        if name in JOBS:
            jobs[-1] += f"  {JOBS[name]}\n"
    for name, targets in UNREACHABLE.items():
        jobs.append(f"- job_name: {name}\n  static_configs: [{{{targets}}}]\n")
    jobs.append(f"- job_name: tls_to_plain\n  scheme: https\n  metrics_path: /good\n"
                f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    return f"global: {{scrape_interval: {INTERVAL}s, scrape_timeout: 2s}}\nscrape_configs:\n" + "".join(jobs)


def plain_error(text):
    """Without the client's own port."""
    return re.sub(r"127\.0\.0\.1:\d{5}->", "127.0.0.1:PORT->", text)


def settled(difference):
    """What differs still after some scrapes: on a busy machine one may run out of time, the next shows the same page."""
    found = difference()
    for _ in range(5):
        if not found:
            break
        time.sleep(INTERVAL)
        found = difference()
    return found


class Peer:
    def __init__(self, name, binary, folder, text):
        self.url = f"http://127.0.0.1:{free_port()}"
        file = folder / f"{name}.yml"
        file.write_text(text)
        with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [binary, f"--config.file={file}", f"--storage.tsdb.path={folder}/{name}",
                 f"--web.listen-address={self.url[7:]}"], stdout=log, stderr=log, cwd=folder)

    def ask(self, path, **parameters):
        status, text = fetch(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(text)
        assert status == 200, answer
        return answer["data"]

    def targets(self):
        return {t["labels"]["job"]: t for t in self.ask("targets")["activeTargets"]}

    def has_samples(self):
        """What is long past is taken as the first sample of a store, and by none that has others."""
        return self.ask("query", query='up{job="good"} == 1')["result"]

    def all_scraped(self, since):
        targets = self.targets().values()
        return all(t["health"] != "unknown" and datetime.fromisoformat(t["lastScrape"]) > since for t in targets)

    def series(self, job):
        """Labels to value of all that a job gave; how long scrapes took is each server's own matter."""
        out = {}
        values = f'{{job=~"{job}|mine",__name__!~"scrape_(duration_seconds|series_added)"}}'
        added = f'label_replace(max_over_time(scrape_series_added{{job="{job}"}}[5m]), "__name__", "added", "", "")'
        for expression in (values, added):
            for one in self.ask("query", query=expression, limit=200_000)["result"]:
                out[json.dumps(one["metric"], sort_keys=True)] = one["value"][1]
        return out

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@unittest.skipUnless(PROMETHEUS, "Prometheus is not there (PROMETHEUS_BIN)")
class HostileDiff(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="narthex-hostile."))
        cls.server = Server()
        text = config(cls.server.port)
        cls.prometheus = Peer("prometheus", PROMETHEUS, cls.folder, text)
        cls.narthex = Peer("narthex", NARTHEX, cls.folder, text)
        for peer in (cls.prometheus, cls.narthex):
            wait_for("answers", lambda one=peer: fetch(one.url + "/-/ready")[0] == 200)
            wait_for("a sample", peer.has_samples)
        cls.server.is_open.set()
        since = datetime.now(timezone.utc)
        for peer in (cls.prometheus, cls.narthex):
            wait_for("a scrape of each page", lambda one=peer: one.all_scraped(since))

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.stop()
        cls.narthex.stop()
        cls.server.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_errors_and_health_agree(self):
        self.assertEqual(set(self.prometheus.targets()), set(self.narthex.targets()))

        def differing(job):
            theirs, ours = self.prometheus.targets()[job], self.narthex.targets()[job]
            fields = {"health": str, "lastError": plain_error} if job not in WORDS else {"health": str}
            found = {field: (of(theirs[field]), of(ours[field])) for field, of in fields.items()}
            return {field: pair for field, pair in found.items() if pair[0] != pair[1]}

        for job in sorted(self.prometheus.targets()):
            with self.subTest(job=job):
                self.assertFalse(settled(lambda one=job: differing(one)), "each: Prometheus, Narthex")

    def test_what_was_stored_agrees(self):
        def differing(job):
            theirs, ours = self.prometheus.series(job), self.narthex.series(job)
            return {key: (theirs.get(key), ours.get(key)) for key in theirs.keys() | ours.keys()
                    if theirs.get(key) != ours.get(key)}

        for job in {*PAGES, *UNREACHABLE, "tls_to_plain"} - SAMPLES.keys():
            with self.subTest(job=job):
                self.assertFalse(settled(lambda one=job: differing(one)), "each: Prometheus, Narthex")


if __name__ == "__main__":
    unittest.main(verbosity=2)
