"""Pages of targets that misbehave, and a server of raw bytes that gives them out."""
import gzip
import socketserver
import struct
import threading
import time

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
GOOD = "# TYPE a counter\na 1\nb{x=\"1\"} 2\n"


def answer(body, content_type=TEXT, status="200 OK", headers=(), length=None):
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def gzipped(body, **more):
    return answer(gzip.compress(body.encode() if isinstance(body, str) else body), headers=["Content-Encoding: gzip"], **more)


def chunks(*parts, end=b"0\r\n\r\n"):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def protobuf(name, value):
    """One gauge family, delimited."""
    metric = b"\x12\x09\x09" + struct.pack("<d", value)
    family = b"\x0a" + bytes([len(name)]) + name + b"\x18\x01\x22" + bytes([len(metric)]) + metric
    return bytes([len(family)]) + family


def endless(send):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nConnection: close\r\n\r\n".encode()
    send(head)
    for i in range(200_000):
        send(f"endless{{i=\"{i}\"}} {i}\n".encode() * 50)
        time.sleep(0.002)


def slow(send):
    send(f"HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nContent-Length: 1000\r\n\r\n".encode())
    for _ in range(40):
        send(b"#")
        time.sleep(0.1)


def same_time_twice(send):
    now = int(time.time() * 1000)
    send(answer(f'a{{x="1"}} 1 {now}\na{{x="1"}} 2 {now}\nb{{x="1"}} 1 {now}\nb{{x="2"}} 2 {now}\n'))


def silent(_):
    time.sleep(4)


def many(count):
    return "".join(f'many{{i="{i}"}} {i}\n' for i in range(count))


LONG = "x" * 100_000
# Path to what is sent: bytes, or a function that gets `send`.
PAGES = {
    "good": answer(GOOD),
    "empty": answer(""),
    "no_content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "only_comments": answer("# a\n#\n# HELP\n# TYPE\n# HELP x\n"),
    "crlf": answer("a 1\r\nb 2\r\n"),
    "no_newline": answer("a 1\nb 2"),
    "byte_order_mark": answer("\ufeffa 1\n"),
    "blanks": answer("  a 1\n\t b\t2 \n\n\n c{ x = \"1\" , } 3\n"),
    "bad_middle": answer("a 1\nb b b\nc 3\n"),
    "no_value": answer("a 1\nb\n"),
    "open_brace": answer('a 1\nb{x="1" 2\n'),
    "open_quote": answer('b{x="1} 2\n'),
    "bad_escape": answer('b{x="\\q\\n\\"\\\\"} 2\n'),
    "bad_name": answer("1a 1\n"),
    "bad_label": answer('a{1x="1"} 1\n'),
    "bad_value": answer("a one\n"),
    "values": answer("a NaN\nb +Inf\nc -Inf\nd 0x1p-2\ne 1e400\nf -0\ng 1_000\nh 1e-320\n"),
    "values2": answer("a nan\nb inf\nc Infinity\nd 0X1P3\nf .5\ng 5.\nh +1\n"),
    "huge_value": answer("e 1e400\n"),
    "underscores": answer("g 1_000\n"),
    "double_sign": answer("g ++1\n"),
    "duplicate": answer("a 1\na 1\na 2\nb 1\n"),
    "duplicate_labels": answer('a{x="1",x="2"} 1\n'),
    "empty_label": answer('a{x=""} 1\na{y="",x="2"} 1\n'),
    "name_label": answer('a{__name__="b"} 1\n'),
    "meta_label": answer('a{__meta="b",__x__="1"} 1\n'),
    "job_label": answer('a{job="mine",instance="me",exported_job="y"} 1\n'),
    "quoted_names": answer('{"a.b","c d"="1"} 1\n{"e"} 2\n', content_type="text/plain; version=1.0.0; escaping=allow-utf-8"),
    "quoted_names_0": answer('{"a.b","c d"="1"} 1\n'),
    "utf8_values": answer('a{x="\u00e9\u4e2d"} 1\n'),
    "bad_utf8_value": answer(b'a{x="\xff\xfe"} 1\n'),
    "bad_utf8_name": answer(b'a\xff 1\n'),
    "zero_byte": answer(b'a 1\nb\x00 2\n'),
    "zero_in_value": answer(b'a{x="\x00"} 1\n'),
    "times_past": answer("a 1 1000\nb 1\n"),
    "times_future": answer("a 1 99999999999999\nb 1\n"),
    "times_bad": answer("a 1 now\nb 1\n"),
    "times_float": answer("a 1 1.5\n"),
    "times_overflow": answer("a 1 99999999999999999999\n"),
    "times_twice": same_time_twice,
    "times_merged": same_time_twice,
    "trailing": answer("a 1 1000 x\n"),
    "type_bad": answer("# TYPE a nothing\na 1\n"),
    "type_twice": answer("# TYPE a gauge\n# TYPE a counter\na 1\n"),
    "type_after": answer("a 1\n# TYPE a gauge\n"),
    "help_escapes": answer("# HELP a one\\ntwo\\\\ \\q\n# TYPE a gauge\na 1\n"),
    "long_label": answer(f'a{{x="{LONG}"}} 1\n'),
    "long_line": answer(f"# {LONG * 10}\na 1\n"),
    "hundred_thousand": answer(many(100_000)),
    "wrong_type": answer("<html>", content_type="text/html"),
    "wrong_type_good": answer(GOOD, content_type="text/html"),
    "json_type": answer("{}", content_type="application/json"),
    "no_type": answer(GOOD, content_type=None),
    "bad_type": answer(GOOD, content_type="///"),
    "type_case": answer(GOOD, content_type="TEXT/Plain;VERSION=0.0.4"),
    "status_500": answer(GOOD, status="500 Internal Server Error"),
    "status_401": answer("", status="401 Unauthorized", headers=['WWW-Authenticate: Basic realm="x"']),
    "status_404": answer("", status="404 Not Found"),
    "status_odd": answer("", status="599 Whatever"),
    "status_wordless": answer("", status="503"),
    "redirect": answer("", status="302 Found", headers=["Location: /good"]),
    "redirect_loop": answer("", status="302 Found", headers=["Location: /redirect_loop"]),
    "redirect_nowhere": answer("", status="302 Found"),
    "redirect_kept": answer("", status="302 Found", headers=["Location: /good"]),
    "short": answer(GOOD, length=1000),
    "long": answer(GOOD, length=5),
    "negative_length": answer(GOOD, length=-1),
    "two_lengths": answer(GOOD, headers=["Content-Length: 3"]),
    "chunked": chunks(b"a 1\n", b"b 2\n"),
    "chunked_split": chunks(b"a", b" 1\nb{x=\"", b"1\"} 2\n"),
    "chunked_short": chunks(b"a 1\n", end=b""),
    "chunked_bad": chunks(b"a 1\n", end=b"zz\r\n"),
    "header_garbage": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\na 1\n",
    "not_http": b"hello\r\n\r\n",
    "status_garbage": b"HTTP/1.1 abc OK\r\n\r\n",
    "closed": b"",
    "gzip": gzipped(GOOD),
    "gzip_short": answer(gzip.compress(GOOD.encode())[:20], headers=["Content-Encoding: gzip"]),
    "gzip_garbage": answer("not gzip at all", headers=["Content-Encoding: gzip"]),
    "gzip_twice": gzipped(GOOD + "c 1\n"),
    "deflate": answer(GOOD, headers=["Content-Encoding: deflate"]),
    "bomb": gzipped(b"# " + b"x" * 20_000_000),
    "endless": endless,
    "endless_limited": endless,
    "slow": slow,
    "silent": silent,
    "om": answer("# TYPE a counter\na_total 1\n# EOF\n", OPENMETRICS),
    "om_no_eof": answer("# TYPE a counter\na_total 1\n", OPENMETRICS),
    "om_after_eof": answer("# EOF\na 1\n", OPENMETRICS),
    "om_exemplar": answer('# TYPE a counter\na_total 1 # {id="1"} 2 3\n# EOF\n', OPENMETRICS),
    "om_bad_exemplar": answer('# TYPE a counter\na_total 1 # {id="1" 2 3\n# EOF\n', OPENMETRICS),
    "om_long_exemplar": answer(f'# TYPE a counter\na_total 1 # {{id="{"x" * 200}"}} 2\n# EOF\n', OPENMETRICS),
    "om_created": answer("# TYPE a counter\na_total 1\na_created 100\n# EOF\n", OPENMETRICS),
    "om_unit": answer("# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n", OPENMETRICS),
    "om_bad_unit": answer("# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n", OPENMETRICS),
    "om_blank_line": answer("a 1\n\n# EOF\n", OPENMETRICS),
    "om_no_suffix": answer("# TYPE a counter\na 1\n# EOF\n", OPENMETRICS),
    "om_times": answer("a 1 -1.5\n# EOF\n", OPENMETRICS),
    "om_crlf": answer("a 1\r\n# EOF\r\n", OPENMETRICS),
    "proto": answer(protobuf(b"p", 1.5), PROTOBUF),
    "proto_garbage": answer("this is no protobuf, is it?", PROTOBUF),
    "proto_short": answer(protobuf(b"p", 1.5)[:-3], PROTOBUF),
    "proto_bad_utf8": answer(protobuf(b"p\xff", 1.5), PROTOBUF),
    "proto_empty": answer("", PROTOBUF),
    "proto_huge": answer(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", PROTOBUF),
    "sample_limit": answer("a 1\nb 1\nc 1\n"),
    "label_limit": answer('a{x="1",y="2",z="3",w="4"} 1\n'),
    "label_name_limit": answer('a{a_long_label_name="1"} 1\n'),
    "label_value_limit": answer('a{x="a long label value"} 1\n'),
    "body_limit": answer(GOOD * 50),
    "dropped": answer('a{x="1"} 1\na{x="2"} 2\nb 1\n'),
    "merged": answer('a{x="1"} 1\na{x="2"} 2\n'),
    "no_names": answer('a 1\nb 1\n'),
}
# What a job has beside its name and path.
JOBS = {
    "no_type": "fallback_scrape_protocol: PrometheusText0.0.4",
    "bad_type": "fallback_scrape_protocol: PrometheusText0.0.4",
    "redirect_kept": "follow_redirects: false",
    "bomb": "body_size_limit: 1MB",
    "endless_limited": "body_size_limit: 100KB",
    "body_limit": "body_size_limit: 500B",
    "sample_limit": "sample_limit: 2",
    "label_limit": "label_limit: 4",
    "label_name_limit": "label_name_length_limit: 12",
    "label_value_limit": "label_value_length_limit: 15",
    "dropped": "metric_relabel_configs: [{source_labels: [x], regex: '1', action: drop}]",
    "merged": "metric_relabel_configs: [{regex: x, action: labeldrop}]",
    "times_merged": "metric_relabel_configs: [{regex: x, action: labeldrop}]",
    "hundred_thousand": "scrape_timeout: 3s",
    "no_names": "metric_relabel_configs: [{source_labels: [__name__], regex: a, target_label: __name__, replacement: ''}]",
    "job_label": "honor_labels: false",
}


class Server:
    """Answers any request for /NAME with PAGES[NAME], until it is open for /good only; one thread a connection."""

    def __init__(self):
        self.is_open = threading.Event()
        is_open = self.is_open

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    if not self.rfile.peek(1)[:1].isupper():
                        return  # TLS: whether random bytes hold the end of a line is a matter of luck
                    path = self.rfile.readline().split(b" ")[1].decode()
                    while self.rfile.readline().strip():
                        pass
                    page = PAGES[path.strip("/")]
                    if path != "/good" and not is_open.is_set():
                        self.connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                    elif callable(page):
                        page(self.connection.sendall)
                    else:
                        self.connection.sendall(page)
                except (OSError, IndexError):
                    pass

        class Threaded(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 256

        self.server = Threaded(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
