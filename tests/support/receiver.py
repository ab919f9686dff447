"""A web server that takes messages of webhooks, and can be told to misbehave."""

import threading

import orjson

from tests.support.web import WebHandler, WebServer


class Receiver:
    """Takes POST requests on loopback, and remembers them.

    Attributes:
        messages: (headers with lower-case names, body) of each, in order.
        answers: Statuses to give once each, in order; 200 when there are none left.
        location: What redirects point to.
        open: An event without which nothing is answered; set at first.
    """

    def __init__(self):
        self.messages = []
        self.answers = []
        self.location = None
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        receiver = self

        class Handler(_Handler):
            server_receiver = receiver

        self._server = WebServer(Handler)
        self.url = f"{self._server.url}/hook"

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *exception):
        self.open.set()
        self._server.__exit__()

    @property
    def payloads(self):
        return [orjson.loads(body) for _, body in self.messages]


class _Handler(WebHandler):
    server_receiver = None

    def do_POST(self):
        receiver = self.server_receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.messages.append((headers, body))
        receiver.reached.set()
        receiver.open.wait(60)
        self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
        if receiver.location:
            self.send_header("Location", receiver.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.server_receiver.messages.append(("GET", self.path))
        self.send_error(405)
