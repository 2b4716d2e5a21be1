"""Servers on 127.0.0.1 that misbehave as told: over http by path, over ftp at a set byte."""

import re
import socketserver
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass
class Served:
    """What a path answers, and how."""

    body: bytes
    cut: int = 0  # closes the connection after so many bytes ...
    cuts: int = 0  # ... so many times
    then: bytes | None = None  # another body, of another version, once the connection was cut
    ranges: bool = True
    validators: tuple = ("ETag", "Last-Modified")
    weak: bool = False  # the ETag
    length: int = 0  # a lie about Content-Length
    statuses: list = field(default_factory=list)  # answers before the first right one
    given: list = field(default_factory=list)  # for each request the first byte that was sent, or the status
    version: int = 1

    @property
    def etag(self):
        return f'{"W/" * self.weak}"{self.version}"'


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        served = self.server.paths.get(self.path)
        if served is None:
            return self.send_error(404)
        if served.statuses:
            served.given.append(served.statuses.pop(0))
            return self.send_error(served.given[-1])
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in {DATE, served.etag} - {f'W/"{served.version}"'}
        start = int(match[1]) if match and same and served.ranges else 0
        served.given.append(start)
        if start >= len(served.body) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(served.body)}")
            return self.end_headers()
        self._send(served, start)

    def _send(self, served, start):
        body = served.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.body) - 1}/{len(served.body)}")
        values = {"ETag": served.etag, "Last-Modified": DATE}
        for name in served.validators:
            self.send_header(name, values[name])
        self.send_header("Content-Length", str(served.length or len(body)))
        self.end_headers()
        if served.cuts > 0:
            served.cuts -= 1
            body = body[: served.cut]
            if served.then is not None:
                served.body, served.version = served.then, served.version + 1
        with suppress(ConnectionError):  # the other side may have had enough
            self.wfile.write(body)


@contextmanager
def http_server():
    """(address, path -> Served) of a running server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads, server.paths = True, {}
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.paths
        finally:
            server.shutdown()


class _Ftp(socketserver.StreamRequestHandler):
    """As much of ftp as it takes to fetch a file: every one is the server's `body`, whatever its name."""

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.say("220 here")
        for line in self.rfile:
            command = line.split()[0].decode().upper()
            if command == "PASV":
                data = socketserver.TCPServer(("127.0.0.1", 0), None)
                high, low = divmod(data.server_address[1], 256)
                self.say(f"227 (127,0,0,1,{high},{low})")
            elif command == "RETR":
                connection, _ = data.socket.accept()
                data.server_close()
                cut = self.server.cuts.pop() if self.server.cuts else None
                self.say(f"150 opening ({len(self.server.body)} bytes)")
                connection.sendall(self.server.body[:cut])
                connection.close()
                self.say("226 done")
            else:
                self.say({"USER": "331 go on", "PASS": "230 in", "QUIT": "221 bye"}.get(command, "200 ok"))


@contextmanager
def ftp_server(body, cuts):
    """The address of a server that cuts the first connections after so many bytes each."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Ftp) as server:
        server.daemon_threads, server.body, server.cuts = True, body, list(cuts)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"ftp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
