#!/usr/bin/env python3
"""Checks that includes point one way only, and that other folders are entered through their contract headers."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# folder -> folders that it may include. base and model are open; of the others only CONTRACTS.
ALLOWED = {
    "base": set(),
    "model": {"base"},
    "template": {"base"},
    "discovery": {"base", "model"},
    "tsdb": {"base", "model"},
    "promql": {"base", "model", "tsdb"},
    "cuda": {"promql"},
    "scraper": {"base", "model", "tsdb", "discovery"},
    "remote": {"base", "model", "tsdb"},
    "rules": {"base", "model", "tsdb", "promql", "template"},
    "alerting": {"base", "model", "template", "discovery", "rules"},
    "api": {"base", "model", "tsdb", "promql", "discovery", "scraper", "remote", "rules", "alerting"},
    "cli": {"base", "model", "tsdb", "promql", "template", "discovery", "scraper", "remote", "rules", "alerting", "api"},
}
OPEN = {"base", "model"}
CONTRACTS = {
    "template/template.h", "discovery/discovery.h", "tsdb/tsdb.h", "tsdb/blocks/blocks.h", "promql/promql.h", "promql/kernels.h",
    "promql/devices.h",
    "promql/syntax/ast.h", "promql/syntax/parser.h", "scraper/scraper.h", "remote/remote.h", "rules/rules.h",
    "alerting/alerting.h", "api/api.h",
    "promql/script/script.h",  # the test-script runner, for cli only
    "scraper/parser.h",  # reading OpenMetrics files, for cli only
}
# library headers -> the only files that may include them
DOORS = {
    r"rocksdb/": {"tsdb/rocks_store.cc", "tsdb/rocks_options.cc", "tsdb/rocks_options.h", "tsdb/rocks_log.cc", "tsdb/rocks_log.h", "tsdb/rocks_files.cc", "tsdb/rocks_files.h"},
    r"yaml-cpp/": {"base/yaml.cc"},
    r"re2/": {"base/regex.cc"},
    r"curl/": {"base/http_transfer.h"},
    r"boost/": {"base/http1_answer.cc", "base/http1_request.cc", "base/http_connection.cc", "base/http_connection.h", "base/http_server.cc"},
    r"nghttp2/": {"base/http2_session.cc"},
}
INCLUDE = re.compile(r'^\s*#include\s+["<]([^">]+)[">]')


def check(path: pathlib.Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    folder = name.split("/")[0]
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        for door, allowed in DOORS.items():
            if re.match(door, target) and name not in allowed and not name.startswith("tests/"):
                errors.append(f"{name}:{number}: {target} may be included by {', '.join(sorted(allowed))} only")
        other = target.split("/")[0]
        if folder not in ALLOWED or other not in ALLOWED or other == folder:
            continue
        if other not in ALLOWED[folder]:
            errors.append(f"{name}:{number}: {folder} may not include {other} ({target})")
        elif folder == "cuda":
            if target != "promql/device.h":
                errors.append(f"{name}:{number}: cuda may include promql/device.h only")
        elif other not in OPEN and target not in CONTRACTS:
            errors.append(f"{name}:{number}: {target} is not a contract header of {other}")
    return errors


def main() -> int:
    errors = []
    for folder in ALLOWED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".h", ".cc", ".cu", ".cuh"}:
                errors += check(path)
    print("\n".join(errors) if errors else "include arrows: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
