#!/usr/bin/env bash
# Runs each fuzz target of a build folder for some seconds: fuzz.sh BUILD SECONDS. A crash fails it.
set -euo pipefail
build=$1 seconds=$2
found=0
for target in "$build"/fuzz_*; do
  [ -x "$target" ] || continue
  found=1
  corpus=$build/corpus/$(basename "$target")
  mkdir -p "$corpus"
  echo "== $(basename "$target")"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="$build/" "$corpus"
done
[ $found = 1 ] || { echo "no fuzz target in $build" >&2; exit 1; }
echo "fuzz: ok"
