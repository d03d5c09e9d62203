"""What the end-to-end tests share: free ports, requests, waiting by polling with a deadline."""
import socket
import time
import urllib.error
import urllib.request

DEADLINE = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url, data=None, method=None):
    """Status and text of the answer, whatever the status."""
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(what, probe, deadline=DEADLINE):
    """The first true value of `probe`; AssertionError with the last value or error after `deadline` seconds."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            last = probe()
            if last:
                return last
        except (OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {deadline} s; last: {last!r}")
