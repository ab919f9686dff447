"""The state folder: all files of a private Pulp, and facts that it keeps from start to start."""

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.processes import Process

# The version of the format of ``state.json``.
VERSION = 1


def default_folder() -> Path:
    """Return ``$PULP_CONDA_STATE``, or else a folder below ``$XDG_STATE_HOME``."""
    if chosen := os.environ.get("PULP_CONDA_STATE"):
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "pulp-conda"


class State:
    """A state folder, which need not exist yet.

    Attributes:
        facts: What ``state.json`` holds: ``ports``, ``postgres`` (the path of its folder),
            ``migrated`` (the fingerprint of the last migration), ``processes`` by name,
            ``launcher`` (the process that started them), and ``background`` (whether they go on
            when the launcher ends).
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
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
        self.facts: dict[str, Any] = {}

    @property
    def exists(self) -> bool:
        return self.facts_file.exists()

    @property
    def password(self) -> str:
        """The password of the administrator."""
        return self.password_file.read_text().strip()

    def log(self, name: str) -> Path:
        """Return the path of the log of a program."""
        return self.logs / f"{name}.log"

    def check_folder(self) -> None:
        """Raise `QuickstartError` if the folder has other files."""
        if not self.folder.exists() or self.facts_file.exists() or self.lock_file.exists():
            return
        if foreign := sorted(path.name for path in self.folder.iterdir()):
            raise QuickstartError(
                f"'{self.folder}' holds '{foreign[0]}' and no 'state.json', so it is not a folder "
                "of this command. Choose another one with --state."
            )

    def open(self) -> None:
        """Load the facts. If there are none, make the folder first. Call it under ``lock``."""
        if self.exists:
            self.load()
            return
        self.folder.chmod(0o700)
        for folder in (self.logs, self.tmp, self.media, self.static, self.imports, self.exports):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write_private(self.password_file, secrets.token_urlsafe(18) + "\n")
        _write_private(self.secret_key_file, secrets.token_urlsafe(50) + "\n")
        fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        _write_private(self.db_key_file, fernet_key + "\n")
        self.save()

    def load(self) -> None:
        """Read the facts from the folder.

        Raises:
            QuickstartError: They cannot be read, or are of a newer version of this command.
        """
        try:
            facts = json.loads(self.facts_file.read_text())
            version = facts.pop("version")
        except (ValueError, KeyError, AttributeError) as error:
            raise QuickstartError(
                f"'{self.facts_file}' cannot be read: {error!r}. "
                "Restore it from a backup, or remove the folder."
            ) from error
        if version > VERSION:
            raise QuickstartError(
                f"'{self.facts_file}' has version '{version}', and this pulp-conda knows versions "
                f"up to {VERSION}. Upgrade pulp-conda, or choose another folder with --state."
            )
        self.facts = facts

    def save(self, **facts: Any) -> None:
        """Add facts and write all. Readers see the old file or the new one, and never a part."""
        self.facts.update(facts)
        fresh = self.facts_file.with_suffix(".new")
        _write_private(fresh, json.dumps({"version": VERSION, **self.facts}, indent=2) + "\n")
        fresh.replace(self.facts_file)

    @property
    def processes(self) -> dict[str, Process]:
        """The recorded processes by name. Some may have ended."""
        return {name: Process(**found) for name, found in self.facts.get("processes", {}).items()}

    @property
    def launcher(self) -> Process | None:
        """The process that has the programs of this folder in its foreground, or None."""
        found = self.facts.get("launcher")
        return Process(**found) if found else None

    def record(self, name: str, process: Process) -> None:
        """Note a process under a name."""
        known = self.facts.get("processes", {})
        self.save(processes={**known, name: vars(process)})

    def forget(self, name: str) -> None:
        """Drop the process that is noted under a name."""
        known = dict(self.facts.get("processes", {}))
        known.pop(name, None)
        self.save(processes=known)

    @contextmanager
    def lock(self, patience: float = 0) -> Iterator[None]:
        """Be the only command that changes what runs from this folder. Make the folder if needed.

        Raises:
            BlockingIOError: Another command has the lock for more than ``patience`` seconds.
            QuickstartError: The folder has files of somebody else.
        """
        self.check_folder()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + patience
        while True:
            with open(os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # A `destroy` may just have removed the file that we have locked.
                    if os.path.samestat(os.fstat(file.fileno()), os.stat(self.lock_file)):
                        yield
                        return
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise
            time.sleep(0.1)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, also while we write it."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
