"""Web servers and clients of the Ingress tests, run inside a namespace. `web.py serve NAME PORT...`
answers on each port; `web.py call FUNCTION [JSON]` works as in traffic.py. Standard library only.
"""

import base64
import hashlib
import http.client
import http.server
import json
import socket
import sys
import threading
import time

_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the request that it saw. /slow answers late, /status/N fails with N, /hangup
    does not answer; an upgrade gets an echo."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.echo()
            return
        if self.path == "/slow":
            time.sleep(2)
        if self.path == "/hangup":
            self.close_connection = True
            return
        if self.path.startswith("/status/"):
            self.send_error(int(self.path.split("/")[2]))
            return
        seen = {"server": f"{self.server.name}:{self.server.server_port}", "path": self.path,
                "headers": {key.lower(): value for key, value in self.headers.items()}}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        digest = hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest()
        self.send_response(200)
        self.send_header("Content-Length", str(len(digest)))
        self.end_headers()
        self.wfile.write(digest.encode())

    def echo(self):
        key = (self.headers["Sec-WebSocket-Key"] + _WEBSOCKET).encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept",
                         base64.b64encode(hashlib.sha1(key).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        while data := self.connection.recv(4096):
            self.connection.sendall(data)
        self.close_connection = True

    def log_message(self, *_arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 1024
    daemon_threads = True


def serve(name, ports):
    threads = []
    for port in ports:
        server = Server(("::", port), Handler)
        server.name = name
        threads.append(threading.Thread(target=server.serve_forever))
        threads[-1].start()


def request(address, port, host, path, headers=None, timeout=5):
    """One request on a connection of its own: [status, what the server saw or None]."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        return [answer.status, json.loads(body) if answer.status == 200 else None]
    finally:
        connection.close()


def requests(address, port, asked):
    """`asked`: a list of (host, path)."""
    return [request(address, port, host, path) for host, path in asked]


def load(addresses, port, host, clients, seconds):
    """Clients that send one request after another, each on a new connection, until time is up."""
    result = {"done": 0, "failures": []}
    lock = threading.Lock()
    until = time.monotonic() + seconds

    def client(number):
        while time.monotonic() < until:
            try:
                status, _ = request(addresses[number % len(addresses)], port, host, "/load")
                wrong = None if status == 200 else f"status {status}"
            except OSError as error:
                wrong = f"{type(error).__name__}: {error}"
            except http.client.HTTPException as error:
                wrong = f"{type(error).__name__}: {error}"
            with lock:
                result["done"] += 1
                if wrong:
                    result["failures"].append(wrong)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result["failed"] = len(result["failures"])
    result["failures"] = result["failures"][:5]
    return result


def websocket(address, port, host, path, count, pause=0):
    """Upgrades and sends `count` texts one after another; returns how many came back."""
    with socket.create_connection((address, port), timeout=10) as client:
        client.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        reader = client.makefile("rb")
        status = reader.readline().decode().strip()
        while reader.readline().strip():
            pass
        echoed = 0
        for number in range(count):
            client.sendall(f"text {number}\n".encode())
            echoed += reader.readline() == f"text {number}\n".encode()
            time.sleep(pause)
        return {"status": status, "echoed": echoed}


_CALLS = {each.__name__: each for each in (request, requests, load, websocket)}


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2], [int(port) for port in sys.argv[3:]])
    elif sys.argv[1] == "call":
        arguments = sys.argv[3] if len(sys.argv) > 3 else sys.stdin.read()
        print(json.dumps(_CALLS[sys.argv[2]](**json.loads(arguments))))


if __name__ == "__main__":
    main()
