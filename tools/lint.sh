#!/usr/bin/env bash
# All static checks: include arrows, sizes, formatting, habits.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 tools/check_layers.py
python3 tools/check_sizes.py
python3 tools/check_docs.py
git ls-files '*.h' '*.cc' '*.cu' '*.cuh' | xargs clang-format-14 --dry-run -Werror
# Nothing sleeps for luck, and only base/ asks the system for the time.
if git grep -nE 'std::this_thread::sleep|usleep\(|[^a-z_]sleep\([0-9]' -- 'tests/*.cc' ; then
  echo "tests must not sleep" >&2
  exit 1
fi
if git grep -nE 'system_clock::now|steady_clock::now|[^a-z_]time\(nullptr\)' -- '*.cc' '*.h' ':!base' ':!bench' ':!tests'; then
  echo "only base/ reads the clock: take a Clock instead" >&2
  exit 1
fi
# bench/gpu.sh builds these on machines without packages.
if "${CXX:-c++}" -std=c++20 -I. -M bench/gpu_check.cc cuda/{device,query,stripe_cache,host_backend}.cc \
  tsdb/format/{bytes,int_blocks,nx_chunk}.cc | grep -oE '[^ ]*/(absl|fmt|hwy|roaring|rocksdb|re2)/[^ ]*'; then
  echo "what bench/gpu.sh builds must need nothing but a compiler" >&2
  exit 1
fi
echo "lint: ok"
