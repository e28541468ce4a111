"""How soon a statement ends that is interrupted while it waits for an endpoint that does not answer.

usage: interrupt.py HOST [ROUNDS]    HOST is the directory of the server's socket; a superuser connects. Needs psycopg.

Beside it runs a server in the form of text embeddings inference, which answers until the models are registered, and then keeps every
request waiting. Each round begins a statement, waits until the server has its request, and interrupts it.
"""

import http.server
import json
import statistics
import sys
import threading
import time

import psycopg

host, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
silent, asked = threading.Event(), threading.Semaphore(0)


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if silent.is_set():
            asked.release()
            # Ends when the other side closes the connection.
            self.connection.recv(1)
            return
        if self.path == "/embed":
            answer = [[1.0, 0.5, 0.25] for _ in request["inputs"]]
        else:
            answer = [{"index": at, "score": 1.0 - at} for at, _ in enumerate(request["texts"])]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def connect():
    return psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True)


control = connect()
control.execute("SELECT socle.register_endpoint('hanging', %s, 'tei', 'm', allow_loopback => true, timeout_seconds => 600)", [url])
control.execute("SELECT socle.register_endpoint_model('hanging_embedding', 'hanging')")
control.execute("SELECT socle.register_endpoint_model('hanging_reranker', 'hanging', 'reranker')")
silent.set()


def round_of(sql, interrupt, settings=""):
    """Milliseconds from the interrupt, or from the end of the timeout, to the error that the client gets."""
    session = connect()
    if settings:
        session.execute(settings)
    ended = []

    def statement():
        try:
            session.execute(sql)
        except psycopg.Error:
            ended.append(time.perf_counter())

    begun = time.perf_counter()
    thread = threading.Thread(target=statement)
    thread.start()
    if not asked.acquire(timeout=30):
        sys.exit("the server was not asked")
    at = interrupt(session, begun)
    thread.join()
    session.close()
    return 1000 * (ended[0] - at)


def cancel(session, _):
    time.sleep(0.05)
    at = time.perf_counter()
    control.execute("SELECT pg_cancel_backend(%s)", [session.info.backend_pid])
    return at


def terminate(session, _):
    time.sleep(0.05)
    at = time.perf_counter()
    control.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])
    return at


def timeout(_, begun):
    return begun + 0.4


statements = {
    "embed": "SELECT socle.embed('a text', 'hanging_embedding')",
    "rerank": "SELECT * FROM socle.rerank('a query', ARRAY['a', 'b'], 'hanging_reranker')",
}
print("| | | p50 | p95 | slowest |\n|---|---|---|---|---|")
for name, sql in statements.items():
    for how, interrupt, settings in [
        ("`pg_cancel_backend`", cancel, ""),
        ("`statement_timeout`, beyond its time", timeout, "SET statement_timeout = '400ms'"),
        ("`pg_terminate_backend`", terminate, ""),
    ]:
        times = sorted(round_of(sql, interrupt, settings) for _ in range(rounds))
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        print(f"| `{name}` | {how} | {statistics.median(times):.1f} ms | {p95:.1f} ms | {times[-1]:.1f} ms |", flush=True)
control.execute("SELECT socle.drop_model('hanging_embedding'), socle.drop_model('hanging_reranker'), socle.drop_endpoint('hanging')")
