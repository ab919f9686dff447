"""nginx in front of the content app."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from pulp_conda.quickstart.ports import free_port

# With a cache that keeps whatever it may, as the guide for administrators has it.
_WITH_CACHE = """
    location / {{
      proxy_pass http://pulp-content;
      proxy_set_header Host $http_host;
      proxy_cache channels;
      proxy_cache_revalidate on;
      add_header X-Cache-Status $upstream_cache_status always;
    }}
"""

# As in Pulp's images, with what the plugin brings.
_SNIPPETS = Path(__file__).parents[2] / "pulp_conda/app/webserver_snippets"
_LIKE_PULP = f"""
    include {_SNIPPETS}/nginx.conf;
    location /pulp/content/ {{{{
      proxy_pass http://pulp-content;
      proxy_set_header Host $http_host;
      proxy_cache channels;
    }}}}
"""

_CONFIGURATION = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
  include {snippets}/nginx_http.conf;
  access_log {folder}/access.log pulp_conda;
  upstream pulp-content {{ server {content}; }}
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  proxy_temp_path {folder}/proxy;
  proxy_cache_path {folder}/cache keys_zone=channels:1m;
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""


# Files of a folder, and nothing else.
_STATIC = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off;
  sendfile on;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  proxy_temp_path {folder}/proxy;
  server {{
    listen 127.0.0.1:{port};
    root {root};
  }}
}}
"""


def running_nginx(folder, content, like_pulp=False):
    """The URL of an nginx with an empty cache before a content app.

    Args:
        content: The URL of the content app.
        like_pulp: With the routes that the plugin brings for Pulp's configuration of nginx.
    """
    return _running(
        folder,
        _CONFIGURATION,
        content=content.removeprefix("http://"),
        snippets=_SNIPPETS,
        locations=(_LIKE_PULP if like_pulp else _WITH_CACHE).format(),
    )


def static_nginx(folder, root):
    """The URL of an nginx that serves the files of a folder.

    Args:
        folder: Where nginx puts its own files.
    """
    return _running(folder, _STATIC, root=root)


def nginx_program():
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "This test needs nginx: apt-get install nginx-light"
    return program


@contextmanager
def _running(folder, configuration, **facts):
    program, port = nginx_program(), free_port()
    path = folder / "nginx.conf"
    path.write_text(configuration.format(folder=folder, port=port, **facts))
    with subprocess.Popen([program, "-c", path, "-p", folder]) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port, process):
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, "nginx does not start"
            time.sleep(0.05)
