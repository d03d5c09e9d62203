"""Remote write 1.0 requests: floats and native histograms, protobuf and snappy by hand."""
import struct


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def number(field, n):
    return varint(field << 3) + varint(n)


def signed(field, n):
    return number(field, n << 1 ^ n >> 63)


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


class Histogram:
    """Counts by bucket index; `bounds` make it one of custom buckets, counts that are no integers a float one."""

    def __init__(self, schema, positive, negative=None, zero=0, total=0.0, bounds=(), gauge=False):
        self.schema, self.positive, self.negative = schema, positive, negative or {}
        self.zero, self.total, self.bounds, self.gauge = zero, total, bounds, gauge

    def encode(self, t):
        counts = [self.zero, *self.positive.values(), *self.negative.values()]
        floats = any(isinstance(c, float) for c in counts)
        out = double(2, sum(counts)) if floats else number(1, sum(counts))
        out += double(3, self.total) + signed(4, self.schema) + double(5, 0.0 if self.bounds else 1e-128)
        out += double(7, self.zero) if floats else number(6, self.zero)
        out += self.buckets(self.negative, 8, floats) + self.buckets(self.positive, 11, floats)
        out += number(14, 3 if self.gauge else 0) + number(15, t)
        if self.bounds:
            out += message(16, b"".join(struct.pack("<d", b) for b in self.bounds))
        return message(4, out)

    @staticmethod
    def buckets(counts, field, floats):
        """Spans at `field`, then deltas (integers) or counts (floats)."""
        out, at = b"", None
        indexes = sorted(counts)
        for i, index in enumerate(indexes):
            if i > 0 and index == indexes[i - 1] + 1:
                continue
            length = next(n for n in range(1, len(indexes) + 1) if index + n not in counts)
            out += message(field, signed(1, index if at is None else index - at) + number(2, length))
            at = index + length
        values = [counts[i] for i in indexes]
        if floats:
            return out + (message(field + 2, struct.pack(f"<{len(values)}d", *values)) if values else b"")
        deltas = [b - a for a, b in zip([0] + values, values)]
        return out + (message(field + 1, b"".join(varint(d << 1 ^ d >> 63) for d in deltas)) if deltas else b"")


def series(labels, samples):
    """`samples`: pairs of milliseconds and a float or Histogram."""
    out = b"".join(message(1, message(1, k.encode()) + message(2, v.encode())) for k, v in sorted(labels.items()))
    for t, value in samples:
        if isinstance(value, Histogram):
            out += value.encode(t)
        else:
            out += message(2, (value if isinstance(value, bytes) else double(1, value)) + number(2, t))
    return message(1, out)


STALE = varint(1 << 3 | 1) + struct.pack("<Q", 0x7FF0000000000002)


def snappy(data):
    """Literals only."""
    out = varint(len(data))
    for i in range(0, len(data), 65536):
        piece = data[i : i + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return out


HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
