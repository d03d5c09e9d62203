// A remote write client of the smallest size: protobuf by hand, snappy without compression.

function varint(value) {
  const out = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Buffer.from(out);
}

const field = (number, bytes) => Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
const text = (number, value) => field(number, Buffer.from(value));

function double(number, value) {
  const out = Buffer.alloc(9);
  out[0] = (number << 3) | 1;
  out.writeDoubleLE(value, 1);
  return out;
}

const pair = ([name, value]) => field(1, Buffer.concat([text(1, name), text(2, value)]));

function encodeSeries({ labels, samples, exemplars = [] }) {
  const names = Object.keys(labels).sort();
  return Buffer.concat([
    ...names.map((name) => pair([name, labels[name]])),
    ...samples.map(([ms, value]) => field(2, Buffer.concat([double(1, value), varint(16), varint(ms)]))),
    ...exemplars.map(([ms, value, own]) => field(3, Buffer.concat([...Object.entries(own).map(pair), double(2, value), varint(24), varint(ms)]))),
  ]);
}

function snappy(bytes) {
  const parts = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 65536) {
    const piece = bytes.subarray(at, at + 65536);
    const length = piece.length - 1;
    parts.push(Buffer.from([61 << 2, length & 255, length >> 8]), piece); // a literal with two bytes of length
  }
  return Buffer.concat(parts);
}

// series: [{labels: {...}, samples: [[ms, value], ...], exemplars: [[ms, value, {...}], ...]}, ...]
export async function remoteWrite(url, series) {
  const body = snappy(Buffer.concat(series.map((one) => field(1, encodeSeries(one)))));
  const response = await fetch(`${url}/api/v1/write`, {
    method: "POST",
    body,
    headers: {
      "Content-Type": "application/x-protobuf",
      "Content-Encoding": "snappy",
      "X-Prometheus-Remote-Write-Version": "0.1.0",
    },
  });
  if (!response.ok) throw new Error(`remote write: ${response.status} ${await response.text()}`);
}
