#!/usr/bin/env python3
"""Checks that files stay readable: sources at most 600 lines, tests 800, the median at most 200."""
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["base", "model", "template", "discovery", "tsdb", "promql", "cuda", "scraper", "remote", "rules",
           "alerting", "api", "cli", "tests"]
# file -> reason for being longer
EXCEPTIONS: dict[str, str] = {}


def main() -> int:
    sizes, errors = [], []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in {".h", ".cc", ".cu", ".cuh"}:
                continue
            name = path.relative_to(ROOT).as_posix()
            lines = len(path.read_text().splitlines())
            sizes.append(lines)
            limit = 800 if folder == "tests" else 600
            if lines > limit and name not in EXCEPTIONS:
                errors.append(f"{name}: {lines} lines, the limit is {limit}")
    median = statistics.median(sizes)
    if median > 200:
        errors.append(f"the median file has {median} lines, the limit is 200")
    print("\n".join(errors) if errors else f"sizes: ok ({len(sizes)} files, median {median:.0f} lines)")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
