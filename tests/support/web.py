"""A web server in a thread of the tests."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebServer(ThreadingHTTPServer):
    """Listens on a free port of loopback while the context lasts, over TLS if it has a context."""

    daemon_threads = True
    # A sync opens a connection for each subdir at once. With Python's default of 5 that wait, Linux
    # drops the others, and they come again after a second.
    request_queue_size = 128

    def __init__(self, handler, tls=None):
        super().__init__(("127.0.0.1", 0), handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"

    def __enter__(self):
        # How long it takes to stop: Python's default of half a second, for each test, adds up to
        # minutes.
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        # A client that goes away is no error of the server, and nothing to print.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class WebHandler(BaseHTTPRequestHandler):
    """Answers requests, keeps connections, and prints nothing."""

    protocol_version = "HTTP/1.1"
    # Else a small answer waits 40 ms for an acknowledgement of its headers.
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass
