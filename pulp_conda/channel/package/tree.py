"""A check that all members of a package's archives would be unpacked inside of the package."""

import re
from tarfile import TarInfo
from typing import NoReturn

from pulp_conda.channel.errors import PackageTooLarge, UnsafeMember, shown


class PackageTree:
    """The files, folders and links that the members of the archives would make.

    No member may be below a link, so every folder is where its path says. The target of a link may
    begin with as many `..` as its folder has parents, and then goes down. So it ends inside of the
    package. A `..` that comes later is checked by `check_detours`.
    """

    def __init__(self, filename: str, member_count: int) -> None:
        """Begin with an empty package.

        Args:
            filename: The name of the package, for errors.
            member_count: How many files and folders are allowed. A long name counts more than once.
        """
        self._filename = filename
        self._limit = member_count
        self._count = 0
        self._files: set[str] = set()  # Links are among them.
        self._links: set[str] = set()
        self._folders = {""}
        # The name of a link, and a folder on the way to its target that is left again with `..`.
        self._detours: list[tuple[str, str]] = []

    def add(self, member: TarInfo) -> None:
        """Add a member.

        Raises:
            UnsafeMember: it could be unpacked outside of the package, or it is no file, folder or
                link.
            PackageTooLarge: it is one member too many.
        """
        if problem := self._name_problem(member.name) or self._problem(member):
            self._refuse(member.name, problem)

    def check_detours(self) -> None:
        """Check the links that have a `..` behind a name in their targets, after the last member.

        Raises:
            UnsafeMember: such a name is a link itself, so the `..` leads somewhere else.
        """
        for name, path in self._detours:
            if path in self._links:
                self._refuse(name, f"is a link through the link '{shown(path)}' and back")

    def _problem(self, member: TarInfo) -> str | None:
        path = normalize(member.name)
        if member.size and not member.isreg():
            return "has data, as only a file can"  # Some readers skip the data, others do not.
        if member.isdir():
            return self._add_folder(path)
        if not path:
            return "has no name"
        if path in self._files or path in self._folders:
            return "is there twice"
        if problem := self._add_folder(_parent(path)):
            return problem
        self._count_name(path)
        if member.issym():
            problem = self._symlink_problem(member.name, _parent(path), member.linkname)
            self._links.add(path)
        elif member.islnk():
            problem = self._hardlink_problem(member.linkname)
        elif not member.isreg():
            problem = "is neither a file nor a folder nor a link"
        self._files.add(path)
        return problem

    def _add_folder(self, path: str) -> str | None:
        while path not in self._folders:
            if path in self._files:
                return f"needs a folder '{shown(path)}', where there is a file or link"
            self._count_name(path)
            self._folders.add(path)
            path = _parent(path)
        return None

    def _count_name(self, path: str) -> None:
        self._count += 1 + len(path) // 256
        if self._count > self._limit:
            reason = f"it has more than {self._limit} members and folders"
            raise PackageTooLarge(
                filename=self._filename,
                reason=reason,
                setting="CONDA_PACKAGE_LIMITS.member_count",
            )

    def _name_problem(self, name: str) -> str | None:
        if "\0" in name:
            return "has a NUL in its name"
        if _is_absolute(name):
            return "is an absolute path"
        if ".." in re.split(r"[/\\]", name):
            return "leaves its folder with '..'"
        return None

    def _symlink_problem(self, name: str, folder: str, target: str) -> str | None:
        # An empty target is allowed, because old packages of zlib have such links.
        target_shown = shown(target)
        if "\0" in target or _is_absolute(target):
            return f"is a link to '{target_shown}', which is no relative path"
        steps = [step for step in target.split("/") if step not in ("", ".")]
        if "\\" in target and ".." in re.split(r"[/\\]", target):
            return f"is a link to '{target_shown}', which leads out of the package on Windows"
        at = folder.split("/") if folder else []
        turns = [position for position, step in enumerate(steps) if step == ".."]
        for position, step in enumerate(steps):
            if step != "..":
                at.append(step)
                if turns and position < turns[-1]:
                    path = "/".join(at)
                    self._count_name(path)
                    self._detours.append((name, path))
            elif not at:
                return f"is a link to '{target_shown}', outside of the package"
            else:
                at.pop()
        return None

    def _hardlink_problem(self, target: str) -> str | None:
        path = normalize(target)
        # A hard link to a symbolic link may be in another folder, where the same target leads
        # elsewhere.
        if self._name_problem(target) or path not in self._files or path in self._links:
            return f"is a hard link to '{shown(target)}', which is no file before it"
        return None

    def _refuse(self, name: str, reason: str) -> NoReturn:
        raise UnsafeMember(filename=self._filename, member=shown(name), reason=reason)


def normalize(path: str) -> str:
    """Return a path without the parts that mean nothing: `./a//b` is `a/b`."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _is_absolute(path: str) -> bool:
    return re.match(r"[/\\]|[A-Za-z]:", path) is not None
