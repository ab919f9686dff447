"""Uploads as the tools of the field send them, to a Pulp in the process of the tests."""

import base64
import hashlib
import http.client
import json
from concurrent.futures import ThreadPoolExecutor, wait
from urllib.parse import quote, urlsplit

from tests.support.in_process import run_tasks

DOORS = "/pulp/conda/"


def with_tasks(action):
    """Return what an action returns, and run the tasks that it waits for meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(action)
        while not wait([future], timeout=0.02).done:
            run_tasks()
    return future.result()


class Doors:
    """A client of the doors.

    Args:
        origin: The URL of the content app without a path.
        secret: The token or the password, or None to send nothing.
    """

    def __init__(self, origin, secret=None):
        self.address = urlsplit(origin).netloc
        self.secret = secret

    def request(self, method, path, body=None, **headers):
        """Send a request and return its answer, with the text of its body. A list as the body is
        sent in chunks.

        Words of headers are joined by `_`.
        """
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret and not {"Authorization", "X-API-Key"} & headers.keys():
            headers["Authorization"] = f"Bearer {self.secret}"
        return with_tasks(lambda: self._send(method, path, body, headers))

    def prefix(self, channel, package, *, force=False, sha256=None, server=DOORS, **parts):
        """Upload as prefix.dev's clients do."""
        sha256 = sha256 or hashlib.sha256(package.data).hexdigest()
        fields = [
            ("file", {"X-File-Name": package.filename, "X-File-SHA256": sha256}, package.data),
            *((name, {}, text.encode()) for name, text in parts.items()),
        ]
        body, content_type = form(fields)
        query = "?force=true" if force else ""
        path = f"{server}api/v1/upload/{channel}{query}"
        return self.request("POST", path, body, Content_Type=content_type)

    def quetz(self, channel, package, *, filename=None, sha256=None, server=DOORS):
        """Upload as Quetz's clients do."""
        sha256 = sha256 or hashlib.sha256(package.data).hexdigest()
        filename = filename or quote(package.filename)
        path = f"{server}api/channels/{channel}/upload/{filename}?force=false&sha256={sha256}"
        key = {"X_API_Key": self.secret} if self.secret else {}
        return self.request("POST", path, pieces(package.data), **key)

    def put(self, path, data, **headers):
        """Upload as Artifactory's clients and `curl -T` do."""
        return self.request("PUT", path, pieces(data), **headers)

    def _send(self, method, path, body, headers):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            is_chunked = isinstance(body, list)
            if is_chunked:
                headers = {**headers, "Transfer-Encoding": "chunked"}
            connection.request(method, path, body, headers, encode_chunked=is_chunked)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer
        finally:
            connection.close()


class Anaconda:
    """A client of the API of anaconda.org."""

    def __init__(self, doors, server=f"{DOORS}anaconda"):
        self._doors, self._server = doors, server
        self.bytes_url = f"http://{doors.address}{server}/bytes"

    def ask(self, method, path, **body):
        headers = {"Authorization": f"token {self._doors.secret}"} if self._doors.secret else {}
        url = f"{self._server}/{path}"
        answer = self._doors.request(method, url, json.dumps(body).encode(), **headers)
        answer.json = json.loads(answer.text) if answer.text else None
        return answer

    def stage(self, owner, package, **fields):
        sha256 = hashlib.sha256(package.data).hexdigest()
        body = {"distribution_type": "conda", "channels": [], "sha256": sha256, **fields}
        return self.ask("POST", f"stage/{file_of(owner, package)}", **body)

    def send(self, staged, data, **fields):
        """Send the bytes to the URL that `stage` gave, as it gave the form."""
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        fields = {
            **staged["form_data"],
            "Content-Length": str(len(data)),
            "Content-MD5": md5,
        } | fields
        parts = [(name, {}, value.encode()) for name, value in fields.items()]
        body, content_type = form([*parts, ("file", {}, data)])
        url = urlsplit(staged["post_url"])
        assert url.netloc == self._doors.address
        anonymous = Doors(f"http://{url.netloc}")
        return anonymous.request("POST", url.path, body, Content_Type=content_type)

    def upload(self, owner, package, **fields):
        """Announce, send and commit a package, and return the last answer."""
        staged = self.stage(owner, package, **fields)
        assert staged.status == 200, staged.text
        assert self.send(staged.json, package.data).status == 201
        file = file_of(owner, package)
        return self.ask("POST", f"commit/{file}", dist_id=staged.json["dist_id"])


def file_of(owner, package):
    """The path of a file in the API of anaconda.org."""
    name, version = package.record.name, package.record.version
    return f"{owner}/{name}/{version}/{package.subdir}/{quote(package.filename)}"


def form(fields):
    """Return the body of a form and its type. A field has a name, headers and bytes."""
    boundary = "a-boundary-of-tests"
    body = b""
    for name, headers, data in fields:
        lines = [f'Content-Disposition: form-data; name="{name}"']
        lines += [f"{key}: {value}" for key, value in headers.items()]
        head = "\r\n".join([f"--{boundary}", *lines, "", ""]).encode()
        body += head + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def pieces(data, size=1000):
    """Return data as a list of pieces, to be sent in chunks."""
    return [data[start : start + size] for start in range(0, len(data), size)]
