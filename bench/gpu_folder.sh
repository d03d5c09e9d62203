#!/usr/bin/env bash
# Packs the server with all the libraries it needs into a folder that runs on a machine without them, for
# bench/gpu.sh (NARTHEX_FOLDER) on a machine with a GPU.
#   bench/gpu_folder.sh FOLDER [PROGRAM]      PROGRAM: build/release/narthex
# In it: the program, lib/ with everything that ldd names, the loader, and libnarthex_cuda.so where there is one;
# `narthex`, which starts the program with them; and run.sh (bench/gpu_server.sh).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?usage: bench/gpu_folder.sh FOLDER [PROGRAM]}
program=${2:-$root/build/release/narthex}
[ -x "$program" ] || { echo "$program: no such program" >&2; exit 1; }
mkdir -p "$folder/lib"
folder=$(cd "$folder" && pwd)
cp -f "$program" "$folder/narthex.bin"
strip "$folder/narthex.bin" 2>/dev/null || true
ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while read -r so; do
  cp -fL "$so" "$folder/lib/"
done
loader=$(ldd "$program" | awk '$1 ~ /^\/.*ld-linux/ { print $1 }')
cp -fL "$loader" "$folder/lib/loader"
# All of the C library, lest the driver brings the system's parts of it beside ours.
libc=$(ldd "$program" | awk '$1 == "libc.so.6" { print $3 }')
for so in libdl.so.2 libpthread.so.0 librt.so.1 libm.so.6 libutil.so.1; do
  cp -fL "$(dirname "$libc")/$so" "$folder/lib/"
done
# The system takes the loader for the program, so this is what lies beside it.
cuda=$(dirname "$program")/libnarthex_cuda.so
if [ -e "$cuda" ]; then cp -f "$cuda" "$folder/lib/"; else echo "no libnarthex_cuda.so beside $program: bench/gpu.sh puts its own there"; fi
# Our libraries first, then where containers have the driver's.
cat >"$folder/narthex" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/lib/loader" --library-path "$here/lib:${LD_LIBRARY_PATH:-}:/usr/local/nvidia/lib64:/usr/local/cuda/compat" \
  "$here/narthex.bin" "$@"
END
chmod +x "$folder/narthex"
cp -f "$root/bench/gpu_server.sh" "$folder/run.sh"
chmod +x "$folder/run.sh"
"$folder/narthex" --version | head -1
du -sm "$folder" | awk '{ print $1 " MiB in " $2 }'
[ "$(du -sm "$folder" | cut -f1)" -le 60 ] || { echo "more than 60 MiB" >&2; exit 1; }
