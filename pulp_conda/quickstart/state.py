"""The state folder: everything a private Pulp keeps, and what it remembers from one start to the next."""

import base64
import fcntl
import json
import os
import secrets
import time
from contextlib import contextmanager
from pathlib import Path

from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.processes import Process

VERSION = 1


def default_folder():
    """``$PULP_CONDA_STATE``, or a folder where the XDG base directories put state."""
    if chosen := os.environ.get("PULP_CONDA_STATE"):
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "pulp-conda"


class State:
    """A state folder, which need not exist yet.

    ``facts`` is what ``state.json`` holds: ``ports``, ``postgres`` (its folder), ``migrated`` (what the database
    was last migrated to), ``processes`` by name, their ``launcher``, and whether they run in the ``background``.
    """

    def __init__(self, folder):
        self.folder = Path(folder).expanduser().absolute()
        self.facts_file = self.folder / "state.json"
        self.lock_file = self.folder / ".pulp-conda.lock"
        self.settings_file = self.folder / "settings.py"
        self.password_file = self.folder / "admin-password"
        self.secret_key_file = self.folder / "secret-key"
        self.db_key_file = self.folder / "database-fields.key"
        self.logs = self.folder / "logs"
        self.tmp = self.folder / "tmp"
        self.media = self.folder / "media"
        self.static = self.folder / "static"
        self.imports = self.folder / "imports"
        self.exports = self.folder / "exports"
        self.facts = {}

    @property
    def exists(self):
        return self.facts_file.exists()

    @property
    def password(self):
        return self.password_file.read_text().strip()

    def log(self, name):
        return self.logs / f"{name}.log"

    def check_folder(self):
        """Refuse a folder that holds something else."""
        if not self.folder.exists() or self.facts_file.exists() or self.lock_file.exists():
            return
        if foreign := sorted(path.name for path in self.folder.iterdir()):
            raise QuickstartError(
                f"'{self.folder}' holds '{foreign[0]}' and no 'state.json', so it is not a folder of "
                "this command. Choose another one with --state."
            )

    def open(self):
        """Load the facts, after making what is missing of the folder. Call it under ``lock``."""
        if self.exists:
            return self.load()
        self.folder.chmod(0o700)
        for folder in (self.logs, self.tmp, self.media, self.static, self.imports, self.exports):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write_private(self.password_file, secrets.token_urlsafe(18) + "\n")
        _write_private(self.secret_key_file, secrets.token_urlsafe(50) + "\n")
        fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        _write_private(self.db_key_file, fernet_key + "\n")
        self.save()

    def load(self):
        try:
            facts = json.loads(self.facts_file.read_text())
            version = facts.pop("version")
        except (ValueError, KeyError, AttributeError) as error:
            raise QuickstartError(
                f"'{self.facts_file}' cannot be read: {error!r}. Restore it from a backup, or remove the folder."
            ) from error
        if version > VERSION:
            raise QuickstartError(
                f"'{self.facts_file}' has version '{version}', and this pulp-conda knows versions up to "
                f"{VERSION}. Upgrade pulp-conda, or choose another folder with --state."
            )
        self.facts = facts

    def save(self, **facts):
        """Remember ``facts``; readers see the old file or the new one, never a part."""
        self.facts.update(facts)
        fresh = self.facts_file.with_suffix(".new")
        _write_private(fresh, json.dumps({"version": VERSION, **self.facts}, indent=2) + "\n")
        fresh.replace(self.facts_file)

    @property
    def processes(self):
        """The recorded processes by name, whether alive or not."""
        return {name: Process(**found) for name, found in self.facts.get("processes", {}).items()}

    @property
    def launcher(self):
        """The process that keeps this folder's programs running, or None."""
        found = self.facts.get("launcher")
        return Process(**found) if found else None

    def record(self, name, process):
        known = self.facts.get("processes", {})
        self.save(processes={**known, name: vars(process)})

    def forget(self, name):
        known = dict(self.facts.get("processes", {}))
        known.pop(name, None)
        self.save(processes=known)

    @contextmanager
    def lock(self, patience=0):
        """Be the only one who changes what runs from this folder, which is made if needed.

        Raises:
            BlockingIOError: somebody else still is after ``patience`` seconds.
            QuickstartError: the folder holds something else.
        """
        self.check_folder()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + patience
        while True:
            with open(os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # A `destroy` may have removed the file that was just locked.
                    if os.path.samestat(os.fstat(file.fileno()), os.stat(self.lock_file)):
                        yield
                        return
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise
            time.sleep(0.1)


def _write_private(path, text):
    """Write a file that only its owner may read, also while it is being written."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
