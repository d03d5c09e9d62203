#!/usr/bin/env python3
"""Asks servers that run on the same history in turn and prints the CPU that each query costs them, as a table.

The history is to end at --end and to be of the harness's making (docs/performance.md). A server is NAME:PORT:PID; ratios
are of the first one's cost. The file of queries is a list of {"name", "kind", ...}: instant, range and parallel have
PromQL, get a path and parameters. Answers are compared, whatever the order of their series is."""
import argparse
import concurrent.futures
import http.client
import json
import statistics
import time
import urllib.parse

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("servers", nargs="+", metavar="NAME:PORT:PID")
parser.add_argument("--queries", required=True)
parser.add_argument("--end", type=int, required=True, help="unix time of the last sample")
parser.add_argument("--hours", type=float, default=6)
parser.add_argument("--times", type=int, default=21)
parser.add_argument("--only", default="", help="comma-separated beginnings of names")
args = parser.parse_args()
begin = args.end - int(args.hours * 3600)


class Server:
    def __init__(self, text):
        self.name, port, pid = text.split(":")
        self.pid = int(pid)
        self.connections = [http.client.HTTPConnection("127.0.0.1", int(port), timeout=300) for _ in range(10)]

    def cpu(self):  # seconds of all threads: the process's CPU clock
        return time.clock_gettime((~self.pid << 3) | 2)

    def ask(self, number, method, path, params):
        text = urllib.parse.urlencode(params, doseq=True)
        connection = self.connections[number]
        if method == "POST":
            connection.request("POST", path, text, {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            connection.request("GET", path + "?" + text if text else path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def requests_of(query):
    def range_of(text, since, step):
        return ("POST", "/api/v1/query_range", {"query": text, "start": since, "end": args.end, "step": step})

    if query["kind"] == "instant":
        return [("POST", "/api/v1/query", {"query": query["query"], "time": args.end})]
    if query["kind"] == "range":
        return [range_of(query["query"], begin, query.get("step", 60))]
    if query["kind"] == "get":
        times = {"start": begin, "end": args.end} if query["path"].startswith("/api/") else {}
        return [("GET", query["path"], query["params"] | times)]
    return [range_of(text, args.end - query["span"], query["step"]) for text in query["queries"]]


def without_order(answers):
    out = []
    for status, body in answers:
        if not body.startswith(b"{"):
            out.append((status, len(body) > 0))
            continue
        data = json.loads(body)["data"]
        found = data if isinstance(data, list) else data["result"]
        out.append((status, sorted(json.dumps(one, sort_keys=True) for one in found)))
    return out


def measure(query, servers, pool):
    requests = requests_of(query)
    costs, answers = {s: [] for s in servers}, {}
    for turn in range(args.times + 2):  # the first two warm caches
        for s in servers:
            before = s.cpu()
            if len(requests) == 1:
                answers[s] = [s.ask(0, *requests[0])]
            else:
                answers[s] = list(pool.map(lambda numbered: s.ask(numbered[0], *numbered[1]), enumerate(requests)))
            if turn >= 2:
                costs[s].append(s.cpu() - before)
    expected = without_order(answers[servers[0]])
    same = all(without_order(answers[s]) == expected for s in servers)
    return [statistics.median(costs[s]) * 1000 for s in servers], same


servers = [Server(text) for text in args.servers]
queries = [{"name": "healthy", "kind": "get", "path": "/-/healthy", "params": {}}] + json.load(open(args.queries))
with concurrent.futures.ThreadPoolExecutor(10) as pool:
    print("| kind | query | " + " | ".join(s.name + " ms" for s in servers) + " | ratio |")
    for query in queries:
        if args.only and not query["name"].startswith(tuple(args.only.split(","))):
            continue
        costs, same = measure(query, servers, pool)
        what = query.get("query") or query.get("path") or query["name"]
        if query["params"].get("match[]") if "params" in query else False:
            what += " match[]=" + query["params"]["match[]"]
        ratios = " ".join(f"{costs[0] / c:.1f}" for c in costs[1:])
        print(f"| {query['kind']} | `{what}` | " + " | ".join(f"{c:.3f}" for c in costs) + f" | {ratios} |"
              + ("" if same else " ANSWERS DIFFER"), flush=True)
