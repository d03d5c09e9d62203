#!/usr/bin/env bash
# The same query over HTTP, once with --promql.kernels=cpu and once with cuda: the answers must be the same bytes.
# Run from a folder that bench/gpu_folder.sh packed; needs bash, awk and coreutils.
#   run.sh WORK_FOLDER
# Settings: SERVER_SERIES (1000000; fewer if they cannot be written in SERVER_DATA_SECONDS, 120), SERVER_SCRAPES (840 of
# 30 s), SERVER_RUNS (5), SERVER_PORT (19191), SERVER_QUERY.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: run.sh WORK_FOLDER}
series=${SERVER_SERIES:-1000000} scrapes=${SERVER_SCRAPES:-840} runs=${SERVER_RUNS:-5} port=${SERVER_PORT:-19191}
data_seconds=${SERVER_DATA_SECONDS:-120}
query=${SERVER_QUERY:-'histogram_quantile(0.99, sum by (le, instance) (rate(x_bucket[5m])))'}
mkdir -p "$work" || exit 2
now() { date +%s%N; }

# Histograms of 12 buckets, 83 of them a target.
make_series() { # make_series COUNT
  awk -v n="$1" 'BEGIN {
    split("0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf", le, " ")
    for (i = 0; i < n; i++)
      printf "{\"__name__\":\"x_bucket\",\"instance\":\"host-%d:9100\",\"job\":\"gpu\",\"le\":\"%s\",\"path\":\"/%d\"}\n", i / 996, le[i % 12 + 1], i % 996 / 12
  }'
}
write_data() { # write_data SERIES SCRAPES
  rm -rf "$work/data"
  make_series "$1" >"$work/series"
  "$here/narthex" tsdb bench write --out="$work/data" --metrics="$1" --scrapes="$2" "$work/series" >"$work/write.log" 2>&1 ||
    { tail -5 "$work/write.log"; return 1; }
}
# get PATH FILE: the body of the answer, by nothing but the shell.
get() {
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3
  sed '1,/^\r*$/d' <&3 >"$2"
  exec 3>&-
}
encode() { # for a URL
  local i c out=
  for ((i = 0; i < ${#1}; i++)); do
    c=${1:i:1}
    case $c in [a-zA-Z0-9._-]) out+=$c ;; *) out+=$(printf '%%%02X' "'$c") ;; esac
  done
  echo "$out"
}

begin=$(now)
write_data 19920 120 || exit 1
rate=$((19920 * 120 * 1000 / (($(now) - begin) / 1000000 + 1)))
most=$((rate * data_seconds / scrapes / 996 * 996))
[ "$series" -le "$most" ] || series=$most
echo "writes $rate samples/s: $series series x $scrapes scrapes"
[ "$series" -gt 0 ] && write_data "$series" "$scrapes" || exit 1
echo "data: $(du -sm "$work/data" | cut -f1) MiB, $((($(now) - begin) / 1000000000)) s"

# Six hours at most, and not the newest hour, which is still in memory.
end=$((scrapes * 30 - 3600)); [ $end -ge 600 ] || end=$((scrapes * 30))
start=$((end - 21600)); [ $start -ge 300 ] || start=300
url="/api/v1/query_range?query=$(encode "$query")&start=$start&end=$end&step=60"
echo "global: {}" >"$work/config.yml"
for kernels in cpu cuda; do
  "$here/narthex" --config.file="$work/config.yml" --storage.tsdb.path="$work/data/storage" --promql.kernels=$kernels \
    --storage.tsdb.retention.time=100y --query.timeout=5m --query.max-samples=2000000000 \
    --web.listen-address=127.0.0.1:$port >"$work/server-$kernels.log" 2>&1 &
  pid=$!
  trap 'kill $pid 2>/dev/null' EXIT
  for _ in $(seq 600); do
    get /-/ready "$work/ready" 2>/dev/null && grep -qi ready "$work/ready" && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.2
  done
  best=
  for i in $(seq "$runs"); do
    t=$(now)
    get "$url" "$work/answer-$kernels" || { tail -5 "$work/server-$kernels.log"; exit 1; }
    ms=$((($(now) - t) / 1000000))
    echo "$kernels run $i: $ms ms, $(wc -c <"$work/answer-$kernels") bytes"
    if [ -z "$best" ] || [ $ms -lt "$best" ]; then best=$ms; fi
  done
  [ $kernels = cpu ] && cpu=$best || cuda=$best
  get /metrics "$work/metrics-$kernels"
  grep -E '^narthex_promql_device_.* [0-9.e+]*[1-9]' "$work/metrics-$kernels"
  get /api/v1/status/runtimeinfo "$work/info"; grep -o '"narthex".*' "$work/info"
  grep -iE 'device' "$work/server-$kernels.log" | head -5
  kill $pid; wait $pid 2>/dev/null
done
echo "best: cpu $cpu ms, cuda $cuda ms: $(awk -v a="$cpu" -v b="$cuda" 'BEGIN { printf "%.1f", a / (b > 0 ? b : 1) }') times"
grep -q '"status":"success"' "$work/answer-cpu" || { head -c 300 "$work/answer-cpu"; exit 1; }
cmp "$work/answer-cpu" "$work/answer-cuda" || exit 1
grep -q '"values"' "$work/answer-cpu" || { echo "the answer is empty"; exit 1; }
if ! grep -qE '^narthex_promql_device_queries_total\{backend="device"\} [1-9]' "$work/metrics-cuda"; then
  echo "SKIPPED: no query ran on a device"
  exit 77
fi
