#!/usr/bin/env bash
# Everything that needs a CUDA device, in one go and under 8 minutes: builds the library from nvcc, g++ and CMake
# alone, compares it with the host's code, looks for memory errors and races, measures. No packages, no network.
#   bench/gpu.sh [BUILD_FOLDER]
# What cannot run here is skipped by name; the exit status tells of failures only.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/gpu}
# Seconds of: plain fuzzing, fuzzing under memcheck, under racecheck.
fuzz=${GPU_FUZZ_SECONDS:-60} memcheck=${GPU_MEMCHECK_SECONDS:-30} racecheck=${GPU_RACECHECK_SECONDS:-30}
failed=0
step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
check() { # check NAME STATUS
  case $2 in
    0) echo "ok: $1" ;;
    77) echo "SKIPPED: $1" ;;
    *) echo "FAILED: $1 (status $2)"; failed=1 ;;
  esac
}

step "machine"
date -u +%Y-%m-%dT%H:%M:%SZ
git -C "$root" rev-parse --short HEAD 2>/dev/null
grep -m1 'model name' /proc/cpuinfo; nproc
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
[ -n "$nvcc" ] || { echo "SKIPPED: everything: there is no nvcc"; exit 0; }
"$nvcc" --version | tail -2 | head -1

step "build"
# On a machine with a device only its architecture: the rest would take most of the time.
arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -d .)
generator=(); command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S "$root/cuda" -B "$build" "${generator[@]}" -DNARTHEX_CUDA=ON ${arch:+-DNARTHEX_CUDA_ARCHES=$arch} >"$build.log" 2>&1 &&
  cmake --build "$build" --parallel "$(nproc)" >>"$build.log" 2>&1
status=$?
check "build" $status
[ $status = 0 ] || { tail -30 "$build.log"; exit 1; }
ls -l "$build/libnarthex_cuda.so"
library=$build/libnarthex_cuda.so

step "registers and spills"
cuobjdump=$(command -v cuobjdump || ls /usr/local/cuda/bin/cuobjdump 2>/dev/null)
if [ -n "$cuobjdump" ]; then "$cuobjdump" -res-usage "$library" 2>&1 | grep -E 'Function|REG' | c++filt; else
  for a in ${arch:-90}; do
    "$nvcc" -std=c++20 -O3 -fmad=false -I"$root" -arch=sm_"$a" -Xptxas=-v -cubin -o /dev/null "$root/cuda/launches.cu" 2>&1 |
      grep -E 'entry function|spill|Used' | sed -e 's/ptxas info *: //' | c++filt
  done
fi

step "no contracted multiply-add"
"$nvcc" -std=c++20 -O3 -fmad=false -I"$root" -ptx -o "$build/kernels.ptx" "$root/cuda/launches.cu" &&
  grep -q 'add\.rn\.f64' "$build/kernels.ptx" && ! grep -qE 'fma\.rn\.f64|\.approx|\.ftz' "$build/kernels.ptx"
check "every f64 operation of the PTX rounds by itself" $?

step "the device against the host's code, $fuzz s"
"$build/gpu_check" "$library" "$fuzz" 1
check "differential fuzzing" $?

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
for tool in memcheck racecheck; do
  step "compute-sanitizer $tool"
  if [ -z "$sanitizer" ]; then check "$tool: there is no compute-sanitizer" 77; continue; fi
  [ $tool = memcheck ] && seconds=$memcheck || seconds=$racecheck
  timeout $((seconds + 60)) "$sanitizer" --tool $tool --error-exitcode 9 "$build/gpu_check" "$library" "$seconds" 1000000
  check "$tool" $?
done

step "figures"
timeout 120 "$build/gpu_figures" "${GPU_MILLIONS:-1}"
check "figures" $?

step "server end to end"
if [ -x "${NARTHEX_SERVER:-}" ] && [ -d "${NARTHEX_DATA:-}" ]; then
  # The same data and query on the CPU and on the device, by the server's own command.
  query=${NARTHEX_QUERY:-'histogram_quantile(0.99, sum by (le, instance)(rate(x_bucket[5m])))'}
  cp "$library" "$(dirname "$NARTHEX_SERVER")/"
  for kernels in cpu cuda; do
    "$NARTHEX_SERVER" --config.file=/dev/null --storage.tsdb.path="$NARTHEX_DATA" --promql.kernels=$kernels \
      --web.listen-address=127.0.0.1:19191 >"$build/server-$kernels.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do curl -sf 127.0.0.1:19191/-/ready >/dev/null && break; sleep 0.2; done
    for i in 1 2 3 4; do
      curl -s -o "$build/answer-$kernels" -w "$kernels run $i: %{time_total} s\n" --get 127.0.0.1:19191/api/v1/query_range \
        --data-urlencode "query=$query" -d start="${NARTHEX_START:?}" -d end="${NARTHEX_END:?}" -d step=60
    done
    curl -s 127.0.0.1:19191/api/v1/status/runtimeinfo | grep -o '"kernels":{.*'
    kill $pid; wait $pid 2>/dev/null
  done
  cmp "$build/answer-cpu" "$build/answer-cuda"
  check "the same answer over HTTP" $?
else
  check "server: NARTHEX_SERVER, NARTHEX_DATA, NARTHEX_START, NARTHEX_END name a program, its data and a range" 77
fi

step "done"
exit $failed
