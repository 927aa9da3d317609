"""A web server on localhost that can be as bad as real ones are."""

import contextlib
import http.server
import socket
import threading
from typing import Dict, NamedTuple, Optional


class Answer(NamedTuple):
    """``length`` is what the server claims, None: the truth, "": nothing; ``silent`` keeps the rest back.

    ``ranges``: it gives the rest of a body where it is asked for that; ``cut`` bytes of a body, then it hangs up.
    """

    body: bytes = b""
    status: int = 200
    location: Optional[str] = None
    length: object = None
    chunked: bool = False
    silent: bool = False
    ranges: bool = False
    cut: Optional[int] = None


class Web:
    """What is at which path, and which paths were asked for. As a proxy, it is asked for whole addresses."""

    def __init__(self, url: str, until_closed: threading.Event):
        self.url, self.until_closed = url, until_closed
        self.answers: Dict[str, Answer] = {}
        self.asked = []
        self.begun = []


@contextlib.contextmanager
def serving():
    """A :class:`Web` in threads of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            web.asked.append(self.path)
            answer = web.answers.get(self.path, Answer(b"nothing here", 404))
            begin = int((self.headers["Range"] or "bytes=0-")[6:-1]) if answer.ranges else 0
            web.begun.append(begin)
            if begin >= len(answer.body) and begin:
                answer = answer._replace(status=416, body=b"")
            elif begin:
                answer = answer._replace(status=206, body=answer.body[begin:])
            self.send_response(answer.status)
            if answer.status == 206:
                self.send_header("Content-Range", f"bytes {begin}-{begin + len(answer.body) - 1}/*")
            if answer.location:
                self.send_header("Location", answer.location)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            elif answer.length != "":
                self.send_header("Content-Length", len(answer.body) if answer.length is None else answer.length)
            self.end_headers()
            if answer.chunked:  # the chunk without a length, which ends it, never comes
                self.wfile.write(b"%x\r\n%s\r\n" % (len(answer.body), answer.body))
            else:
                self.wfile.write(answer.body[: answer.cut])
                self.close_connection = self.close_connection or answer.cut is not None
            if answer.silent:
                web.until_closed.wait(20)

        def do_CONNECT(self):
            web.asked.append(self.path)
            self.send_error(501)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *arguments):  # a client that has read enough leaves
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        web = Web(f"http://127.0.0.1:{server.server_address[1]}", threading.Event())
        thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        try:
            yield web
        finally:
            web.until_closed.set()
            server.shutdown()
            thread.join()


def closed_port() -> str:
    """The address of a port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"
