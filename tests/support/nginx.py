"""nginx with a cache that keeps whatever it may, as the guide for administrators has it."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

from pulp_conda.quickstart.ports import free_port

_CONFIGURATION = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  proxy_temp_path {folder}/proxy;
  proxy_cache_path {folder}/cache keys_zone=channels:1m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {content};
      proxy_set_header Host $http_host;
      proxy_cache channels;
      proxy_cache_revalidate on;
      add_header X-Cache-Status $upstream_cache_status always;
    }}
  }}
}}
"""


@contextmanager
def running_nginx(folder, content):
    """The URL of an nginx with an empty cache before a content app."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "This test needs nginx: apt-get install nginx-light"
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, content=content))
    with subprocess.Popen([program, "-c", configuration, "-p", folder]) as process:
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
