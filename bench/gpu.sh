#!/usr/bin/env bash
# Everything that needs a CUDA device, in one go and under 8 minutes: builds the library from nvcc and g++ alone
# (CMake if it is there), compares it with the host's code, looks for memory errors and races, measures. No packages,
# no network.
#   bench/gpu.sh [BUILD_FOLDER]
# All is printed and written to $OUT/gpu-report.txt (without OUT: BUILD_FOLDER/gpu-report.txt). A step that fails or
# takes too long does not keep the others from running. What cannot run here is skipped by name; the exit status
# tells of failures only. Settings, all optional:
#   GPU_SECONDS        of everything together (470)
#   GPU_STEPS          which: "registers ptx figures fuzz memcheck racecheck server"
#   GPU_FUZZ_SECONDS   of the comparison with the host (60). Ten minutes of it: GPU_STEPS=fuzz GPU_FUZZ_SECONDS=600 GPU_SECONDS=700
#   GPU_MEMCHECK_SECONDS, GPU_RACECHECK_SECONDS (40)   GPU_MILLIONS  of series (1)   NARTHEX_FOLDER  as bench/gpu_folder.sh packs it
#   GPU_ARCH           90, say: instead of what the device is
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/gpu}
mkdir -p "$build" && build=$(cd "$build" && pwd) || exit 2
out=${OUT:-$build}
steps=" ${GPU_STEPS:-registers ptx figures fuzz memcheck racecheck server} "
fuzz=${GPU_FUZZ_SECONDS:-60} memcheck=${GPU_MEMCHECK_SECONDS:-40} racecheck=${GPU_RACECHECK_SECONDS:-40}
total=${GPU_SECONDS:-470}
library=$build/libnarthex_cuda.so
sources="launches.cu cuda_backend.cc cuda_memory.cc cuda_stream.cc device.cc query.cc stripe_cache.cc"
format="bytes.cc int_blocks.cc nx_chunk.cc"
failed=0

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
wanted() { [[ $steps == *" $1 "* ]]; }
check() { # check NAME STATUS
  case $2 in
    0) echo "ok: $1" ;;
    77) echo "SKIPPED: $1" ;;
    124 | 137) echo "FAILED: $1 (out of time)"; failed=1 ;;
    *) echo "FAILED: $1 (status $2)"; failed=1 ;;
  esac
}
# limited SECONDS COMMAND...: at most so long, and never longer than what is left of the whole.
limited() {
  local most=$1 left=$((total - SECONDS))
  shift
  [ "$left" -ge 5 ] || { echo "no time left for: $1"; return 124; }
  timeout -k 5 $((most < left ? most : left)) "$@"
}
find_tool() { command -v "$1" || ls "/usr/local/cuda/bin/$1" "${CUDA_HOME:-/nowhere}/bin/$1" "/usr/local/cuda/compute-sanitizer/$1" 2>/dev/null | head -1; }

machine() {
  step "machine"
  date -u +%Y-%m-%dT%H:%M:%SZ
  git -C "$root" rev-parse --short HEAD 2>/dev/null
  grep -m1 'model name' /proc/cpuinfo; nproc
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
  nvcc=$(find_tool nvcc)
  [ -n "$nvcc" ] || return 1
  "$nvcc" --version | tail -2 | head -1
  # On a machine with a device only its architecture: the rest would take most of the time.
  arch=${GPU_ARCH:-$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -dc 0-9)}
  echo "builds for: ${arch:+sm_}${arch:-all architectures}"
}

# The three programs; each by itself, so that one that does not compile leaves the others.
by_cmake() {
  local generator=() go_on="-k"
  command -v cmake >/dev/null || return 1
  if ! command -v make >/dev/null; then generator=(-G Ninja) go_on="-k 0"; fi
  cmake -S "$root/cuda" -B "$build" "${generator[@]}" -DNARTHEX_CUDA=ON ${arch:+-DNARTHEX_CUDA_ARCHES=$arch} &&
    cmake --build "$build" --parallel "$(nproc)" -- $go_on
}
by_hand() {
  local code=${arch:-90} flags="-std=c++20 -O3 -fmad=false -I$root" pids=() p bad=0
  "$nvcc" $flags -arch=sm_$code -Xcompiler -fPIC,-ffp-contract=off,-fvisibility=hidden -shared -o "$library" $sources & pids+=($!)
  "$nvcc" $flags -arch=sm_$code -Xcompiler -ffp-contract=off -o "$build/gpu_figures" "$root/bench/gpu_figures.cc" \
    launches.cu cuda_memory.cc cuda_stream.cc query.cc stripe_cache.cc $(printf "$root/tsdb/format/%s " $format) & pids+=($!)
  g++ -std=c++20 -O2 -ffp-contract=off -I"$root" -o "$build/gpu_check" "$root/bench/gpu_check.cc" device.cc query.cc stripe_cache.cc \
    host_backend.cc $(printf "$root/tsdb/format/%s " $format) -lpthread -ldl & pids+=($!)
  for p in "${pids[@]}"; do wait "$p" || bad=1; done
  return $bad
}
build_all() {
  step "build"
  rm -f "$library" "$build/gpu_figures" "$build/gpu_check"
  export -f by_cmake by_hand
  export root build arch nvcc library sources format
  limited 150 bash -c by_cmake >"$build/build.log" 2>&1
  if [ ! -e "$library" ] || [ ! -e "$build/gpu_figures" ] || [ ! -e "$build/gpu_check" ]; then
    echo "CMake did not build everything: by hand"
    tail -15 "$build/build.log"
    (cd "$root/cuda" && limited 120 bash -c by_hand) >"$build/by-hand.log" 2>&1 || tail -30 "$build/by-hand.log"
  fi
  for f in "$library" "$build/gpu_figures" "$build/gpu_check"; do
    [ -e "$f" ]; check "build of ${f##*/}" $?
  done
  ls -l "$library" 2>/dev/null
}

registers() {
  step "registers and spills"
  local cuobjdump a
  cuobjdump=$(find_tool cuobjdump)
  if [ -n "$cuobjdump" ] && [ -e "$library" ]; then
    limited 30 "$cuobjdump" -res-usage "$library" 2>&1 | grep -E 'Function|REG' | c++filt
  else
    for a in ${arch:-75 80 86 87 89 90 100}; do
      echo "sm_$a"
      limited 60 "$nvcc" -std=c++20 -O3 -fmad=false -I"$root" -arch=sm_"$a" -Xptxas=-v -cubin -o "$build/kernels.cubin" "$root/cuda/launches.cu" 2>&1 |
        grep -E 'entry function|spill|Used' | sed -e 's/ptxas info *: //' | c++filt
    done
  fi
}

ptx() {
  step "no contracted multiply-add"
  limited 60 "$nvcc" -std=c++20 -O3 -fmad=false -I"$root" -ptx -o "$build/kernels.ptx" "$root/cuda/launches.cu" &&
    grep -q 'add\.rn\.f64' "$build/kernels.ptx" && ! grep -qE 'fma\.rn\.f64|\.approx|\.ftz' "$build/kernels.ptx"
  check "every f64 operation of the PTX rounds by itself" $?
}

figures() {
  local what
  for what in copies small kernels; do
    step "figures: $what"
    limited 60 "$build/gpu_figures" $what "${GPU_MILLIONS:-1}"
    check "figures: $what" $?
  done
}

# Several at once: the host's part takes most of the time, and queries beside each other are what is to be tested.
differential() {
  local jobs=$((($(nproc) + 1) / 2)) pids=() worst=0 status i
  [ $jobs -le 8 ] || jobs=8
  step "the device against the host's code, $fuzz s, $jobs programs at once"
  for i in $(seq $jobs); do
    limited $((fuzz + 30)) "$build/gpu_check" "$library" "$fuzz" $((i * 1000000)) & pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i"; status=$?
    [ $status = 0 ] || worst=$status
  done
  check "differential fuzzing" $worst
}

sanitize() { # sanitize TOOL SECONDS
  local sanitizer
  step "compute-sanitizer $1"
  sanitizer=$(find_tool compute-sanitizer)
  if [ -z "$sanitizer" ]; then check "$1: there is no compute-sanitizer" 77; return; fi
  limited $(($2 + 30)) "$sanitizer" --tool "$1" --error-exitcode 9 "$build/gpu_check" "$library" "$2" 100000000 2>&1 | tail -40
  check "$1" "${PIPESTATUS[0]}"
}

server() {
  step "server end to end"
  if [ ! -x "${NARTHEX_FOLDER:-/nowhere}/run.sh" ]; then
    check "server: NARTHEX_FOLDER is no folder that bench/gpu_folder.sh packed" 77
    return
  fi
  cp "$library" "$NARTHEX_FOLDER/lib/" 2>/dev/null
  limited 400 "$NARTHEX_FOLDER/run.sh" "$build/server"
  check "the same answers over HTTP" $?
}

all() {
  machine || { echo "SKIPPED: everything: there is no nvcc"; return 0; }
  build_all
  # What cannot be had otherwise comes first.
  if wanted figures; then figures; fi
  if wanted fuzz; then differential; fi
  if wanted memcheck; then sanitize memcheck "$memcheck"; fi
  if wanted racecheck; then sanitize racecheck "$racecheck"; fi
  if wanted server; then server; fi
  if wanted registers; then registers; fi
  if wanted ptx; then ptx; fi
  step "done"
  return $failed
}
all 2>&1 | tee "$out/gpu-report.txt"
exit "${PIPESTATUS[0]}"
