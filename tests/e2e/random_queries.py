"""Queries made up at random from a grammar of PromQL, and the series that they ask for."""
import math

from remote_write import STALE, Histogram

STEP_MS = 15_000
STEPS = 240
NAN, INF = math.nan, math.inf


def wave(n, k):
    """No two series have equal values: ties would be broken by the order that a server has its series in."""
    return round(math.sin(k / 7 + n) * 50 + n * 0.37 + k * 0.001, 6)


def counts(k, n, base):
    return {base + i: 100 + i * n + k // (i + 1) for i in range(n)}


def all_series():
    """Pairs of labels and a function that gives the k-th value, None where there is none."""
    out = []
    for i in range(4):
        at = {"job": "app", "instance": f"i{i}"}
        for code in ("200", "404", "500"):
            step = (i + 1) * (3 if code == "200" else 1) + 0.25
            out.append((dict(at, __name__="req_total", code=code), lambda k, s=step, i=i: s * (k % (90 + 40 * i))))
        out.append((dict(at, __name__="temp"), lambda k, i=i: wave(i, k)))
        out.append((dict(at, __name__="gaps"), lambda k, i=i: STALE if k % 20 == 12 + i else wave(i, k) if k % 20 < 12 + i else None))
        out.append((dict(at, __name__="size", zone=f"z{i % 2}"), lambda k, i=i: float(i * 1000 + k % (5 + i))))
        for n, le in enumerate(("0.1", "0.5", "2", "+Inf")):
            out.append((dict(at, __name__="wait_bucket", le=le), lambda k, n=n, i=i: float((n + 1) * (k + 3 * i) + n)))
        out.append((dict(at, __name__="nh"), lambda k, i=i: Histogram(i % 3, counts(k, 4 + i, -2), zero=k + i, total=k * 1.5)))
        out.append((dict(at, __name__="nh_both"), lambda k, i=i: Histogram(1, counts(k, 3, 0), counts(k, 2 + i, -1), k, k * 0.5)))
    for kind, value in (("nan", NAN), ("inf", INF), ("ninf", -INF), ("zero", 0.0), ("third", 1 / 3), ("big", 1e21), ("neg", -7.5)):
        out.append(({"__name__": "special", "kind": kind}, lambda k, v=value: v))
    # Many buckets: samples that are longer than whatever a store keeps together.
    out.append(({"__name__": "nh_custom", "job": "app"}, lambda k: Histogram(
        -53, {i: 10 + k // (i + 1) for i in range(31)}, total=k * 2.0, bounds=tuple(i / 4 for i in range(1, 31)))))
    out.append(({"__name__": "nh_float", "job": "app"}, lambda k: Histogram(
        0, {i: 5.5 + i + k * 0.25 for i in range(40)}, zero=0.5, total=k * 0.75)))
    out.append(({"__name__": "nh_gauge", "job": "app"}, lambda k: Histogram(
        0, {0: 5 + k % 7, 1: 9 - k % 5}, total=float(20 + k % 9), gauge=True)))
    out.append(({"__name__": "dotted.name", "job": "app", "data.center": "eu 1"}, lambda k: wave(9, k)))
    return out


FLOATS = ["req_total", "temp", "gaps", "size", "wait_bucket", "special", '"dotted.name"']
HISTOGRAMS = ["nh", "nh_both", "nh_custom", "nh_float"]  # rates of gauges came to be others
LABELS = {
    "job": ["app", ""], "instance": ["i0", "i1", "i3", "none"], "code": ["200", "500"], "zone": ["z0", "z1"],
    "le": ["0.5", "+Inf"], "kind": ["nan", "zero", "big"], '"data.center"': ["eu 1"],
}
OF_VALUES = """abs ceil floor exp sqrt ln log2 log10 sgn absent timestamp day_of_month day_of_week day_of_year days_in_month hour
minute month year deg rad sin cos atan tanh asinh histogram_count histogram_sum histogram_avg histogram_stddev scalar""".split()
OF_RANGES = """rate increase delta irate idelta deriv changes resets avg_over_time min_over_time max_over_time sum_over_time
count_over_time stddev_over_time stdvar_over_time last_over_time present_over_time absent_over_time ts_of_max_over_time
ts_of_last_over_time""".split()


class Queries:
    """The same for the same random numbers. What later versions than 3.5 answer otherwise is not asked for."""

    def __init__(self, random):
        self.random, self.pick = random, lambda *of: random.choice(of)

    def matcher(self):
        name = self.random.choice(list(LABELS))
        op = self.pick("=", "!=", "=~", "!~")
        value = self.pick(".*", ".+", "i[01]|z0", "", "(?i:APP)") if "~" in op else self.random.choice(LABELS[name])
        return f'{name}{op}"{value}"'

    def selector(self):
        name = self.random.choice(FLOATS if self.random.random() < 0.7 else HISTOGRAMS)
        matchers = [self.matcher() for _ in range(self.pick(0, 0, 0, 1, 1, 2))]
        if name[0] == '"':
            name, matchers = "", [name] + matchers
        return name + ("{" + ",".join(matchers) + "}" if matchers else "")

    def modifiers(self):
        out = " offset " + self.pick("1m", "-1m", "5m", "30s") if self.random.random() < 0.15 else ""
        return out + (" @ " + self.pick("start()", "end()") if self.random.random() < 0.08 else "")

    def range(self, depth):
        if depth > 0 and self.random.random() < 0.2:
            return f"({self.vector(depth - 1)})[{self.pick('5m', '10m')}:{self.pick('', '30s', '7s')}]{self.modifiers()}"
        return f"{self.selector()}[{self.pick('15s', '1m', '5m', '73s', '15m')}]{self.modifiers()}"

    def number(self):
        return self.pick("0", "1", "2", "0.5", "-1", "NaN", "1e9", "1e3", "0x1f", "5m", ".1")

    def scalar(self, depth):
        chance = self.random.random()
        if depth <= 0 or chance < 0.6:
            return self.number()
        if chance < 0.7:
            return "time()"
        if chance < 0.85:
            return f"scalar({self.vector(depth - 1)})"
        return f"({self.scalar(depth - 1)} {self.pick('+', '-', '*', '/', '%', '^', 'atan2', '< bool')} {self.scalar(depth - 1)})"

    def labels(self):
        return "(" + ",".join(self.random.sample(["job", "instance", "code", "zone", "le", "kind"], self.pick(0, 1, 1, 2))) + ")"

    def grouping(self):
        return self.pick("", " by " + self.labels(), " without " + self.labels())

    def matching(self):
        out = self.pick("", "", " on" + self.labels(), " ignoring" + self.labels())
        return out + self.pick("", " group_left", " group_right(zone)", " group_left()") if out else ""

    def binary(self, depth):
        op = self.pick("+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">=", "and", "or", "unless")
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        if op in ("and", "or", "unless"):
            return f"({left} {op}{self.pick('', ' on' + self.labels())} {right})"
        bool_word = " bool" if op in ("==", "!=", "<", ">=") and self.random.random() < 0.5 else ""
        kind = self.random.random()
        if kind < 0.3:
            return f"({left} {op}{bool_word} {self.scalar(depth - 1)})"
        # Not of equals: Prometheus adds in no order of its own, so that twice the same is not always the same.
        twice = kind < 0.6 and op in ("+", "-", "*", "/")
        return f"({left} {op}{bool_word}{self.matching()} {left if twice else right})"

    def aggregation(self, depth):
        if self.random.random() < 0.75:
            return self.pick("sum", "avg", "min", "max", "count", "stddev", "group") + f"{self.grouping()} ({self.vector(depth - 1)})"
        op, parameter = self.pick(("topk", "2"), ("bottomk", "1"), ("quantile", "0.3"), ("quantile", "1.5"),
                                  ("limit_ratio", "0.5"), ("limit_ratio", "-0.3"), ("count_values", '"v"'))
        return f"{op}{self.grouping()} ({parameter}, {self.selector() if op in ('topk', 'bottomk') else self.vector(depth - 1)})"

    def call(self, depth):
        inner = self.vector(depth - 1)
        return self.pick(
            lambda: f"histogram_quantile({self.pick('0.5', '0.9', '0', '1', '2')}, {inner})",
            lambda: f"histogram_fraction({self.pick('0.3', '1')}, {self.pick('0.5', '2', '9')}, {inner})",
            lambda: f"clamp({inner}, {self.scalar(1)}, {self.scalar(1)})",
            lambda: f"round({inner}, {self.scalar(1)})",
            lambda: f'label_replace({inner}, "{self.pick("dst", "job")}", "{self.pick("$1", "x-$1", "")}", "instance", "(.*)")',
            lambda: f'label_join({inner}, "dst", "-", "job", "code")',
            lambda: f"quantile_over_time({self.pick('0.5', '-1', '0.9')}, {self.range(depth - 1)})",
            lambda: f"predict_linear({self.range(depth - 1)}, {self.scalar(1)})",
            lambda: f"vector({self.scalar(depth - 1)})",
            lambda: f"-{inner}",
        )()

    def vector(self, depth):
        chance = self.random.random()
        if depth <= 0 or chance < 0.12:
            return self.selector() + self.modifiers()
        if chance < 0.32:
            return f"{self.random.choice(OF_RANGES)}({self.range(depth - 1)})"
        if chance < 0.45:
            name = self.random.choice(OF_VALUES)
            call = f"{name}({self.vector(depth - 1)})"
            return f"vector({call})" if name == "scalar" else call
        if chance < 0.65:
            return self.aggregation(depth)
        return self.binary(depth) if chance < 0.82 else self.call(depth)

    def next(self):
        return self.vector(self.pick(1, 2, 2, 3, 4))

    def mutated(self):
        """With some characters more or less: mostly no PromQL any more."""
        text = self.next()
        for _ in range(self.pick(1, 1, 2)):
            at = self.random.randrange(len(text) + 1)
            if self.random.random() < 0.4:
                text = text[:at] + text[at + self.random.randrange(4):]
            else:
                words = ("(", ")", "{", "}", "[", "]", ",", "by", "on", "5m", '"x"', "=~", "==", "+", "sum", "rate", "1", "bool", "#c\n", "é")
                text = f"{text[:at]}{self.pick('', ' ')}{self.random.choice(words)}{self.pick('', ' ')}{text[at:]}"
        return text
