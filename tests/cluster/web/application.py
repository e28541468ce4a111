"""The application of examples/web as the tests run it: loaded, on a port of its own, as web_app."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import psycopg

WEB = Path(os.environ["SOCLE_WEB"])
PATIENCE = 60


def superuser():
    return psycopg.connect(user="postgres", autocommit=True)


def load():
    subprocess.run([sys.executable, WEB / "load.py"], env=os.environ | {"PGUSER": "postgres"}, check=True)


def start(user, port):
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"]
    return subprocess.Popen(command, cwd=WEB, env=os.environ | {"PGUSER": user}, stderr=subprocess.PIPE, text=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


class Application:
    """Runs until it is stopped."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = start("web_app", self.port)
        eventually(self.answers, "the application starts")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(self.process.stderr.read())
        try:
            return self.request("GET", "/")[0] == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stderr.close()

    def request(self, method, path, tenant=None, body=None, headers=None):
        """Status and body of a reply."""
        headers = dict(headers or {})
        if tenant is not None:
            headers["X-Tenant"] = tenant
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                self.headers = reply.headers
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                self.headers = error.headers
                return error.code, error.read()

    def ask(self, path, tenant, body=None):
        """Status and value of a reply in JSON."""
        status, text = self.request("GET" if body is None else "POST", path, tenant, body)
        return status, json.loads(text)

    def search(self, tenant, dataset, question, **more):
        status, found = self.ask("/api/search", tenant, {"dataset": dataset, "question": question} | more)
        assert status == 200, found
        return found["passages"]

    def answer(self, tenant, dataset, question, **more):
        """The sentences of an answer, and the row that sums up."""
        status, text = self.request("POST", "/api/answer", tenant, {"dataset": dataset, "question": question} | more)
        assert status == 200, text
        rows = [json.loads(line) for line in text.decode().splitlines()]
        return rows[:-1], rows[-1]

    def upload(self, tenant, name, data):
        status, text = self.request("PUT", "/api/file?" + urllib.parse.urlencode({"name": name}), tenant, data)
        return status, json.loads(text)
