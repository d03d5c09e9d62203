#!/usr/bin/env python3
"""Checks that every file of the tree that a document names in backticks is there."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`([a-z_]+(?:/[A-Za-z0-9_.{},*-]+)+)`")


def main() -> int:
    errors = []
    for doc in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, line in enumerate(doc.read_text().splitlines(), 1):
            for name in NAMED.findall(line):
                top = name.split("/")[0]
                if not (ROOT / top).is_dir() or top in {"build", "data"}:
                    continue
                patterns = [name]
                if match := re.search(r"\{([^}]*)\}", name):
                    patterns = [name.replace(match.group(0), part) for part in match.group(1).split(",")]
                for pattern in patterns:
                    if not any(ROOT.glob(pattern)) and not any(ROOT.glob(pattern + ".*")):
                        errors.append(f"{doc.relative_to(ROOT)}:{number}: {pattern} does not exist")
    print("\n".join(errors) if errors else "documents: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
