#!/usr/bin/env bash
# Runs the README's two commands in a fresh clone on a bare Debian 12 (minbase), made by debootstrap in a temporary
# folder and entered by chroot. Needs root. bare.sh [MIRROR]
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "bare: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap
mirror=${1:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)}
root=$(mktemp -d "${TMPDIR:-/tmp}/narthex-bare.XXXXXX")
cleanup() {
  umount -l "$root/proc" "$root/dev" 2>/dev/null || true  # lazily: what the chroot ran may still hold them
  rm -rf --one-file-system "$root"
}
trap cleanup EXIT
debootstrap --variant=minbase bookworm "$root" "$mirror"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
for f in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf; do [ -f "$f" ] && cp "$f" "$root/etc/apt/apt.conf.d/"; done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
git bundle create "$root/narthex.bundle" HEAD >/dev/null
# git is what a newcomer has used to get the sources; nothing else is installed beforehand.
chroot "$root" bash -ec '
  apt-get update -qq && apt-get install -y -qq --no-install-recommends git ca-certificates >/dev/null
  git clone -q /narthex.bundle /narthex && cd /narthex
  ./dev test
  (./dev run & echo $! >/tmp/pid; wait) &
  for i in $(seq 1 600); do
    curl -sf http://127.0.0.1:9090/-/ready >/dev/null && ok=1 && break
    sleep 1
  done
  pkill -TERM -x narthex
  wait
  [ "${ok:-}" = 1 ] && echo "bare: ok"
'
