"""The members of a package's archives: that all of them stay inside of the package they are unpacked to."""

import re

from pulp_conda.channel.errors import PackageTooLarge, UnsafeMember, shown


class PackageTree:
    """The files, folders and links that the members would make, to see that all of them stay in the package.

    Nothing may stand below a link, so every folder is where its path says. A link may start with as many `..` as
    its folder has parents, and then goes down: whatever other links are on the way, it ends inside.
    """

    def __init__(self, filename, limits):
        self._filename = filename
        self._limits = limits
        self._count = 0
        self._files = set()
        self._links = set()
        self._folders = {""}
        self._detours = []

    def add(self, member):
        if problem := self._name_problem(member.name) or self._problem(member):
            self._refuse(member.name, problem)

    def check_detours(self):
        """Check links with a `..` behind a name: it leads somewhere else if that name is a link."""
        for name, path in self._detours:
            if path in self._links:
                self._refuse(name, f"is a link through the link '{shown(path)}' and back")

    def _problem(self, member):
        path = _normalize(member.name)
        if member.size and not member.isreg():
            return "has data, as only a file can"  # Readers differ in whether they skip it.
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

    def _add_folder(self, path):
        while path not in self._folders:
            if path in self._files:
                return f"needs a folder '{shown(path)}', where there is a file or link"
            self._count_name(path)
            self._folders.add(path)
            path = _parent(path)
        return None

    def _count_name(self, path):
        self._count += 1 + len(path) // 256
        if self._count > (limit := self._limits.member_count):
            reason = f"it has more than {limit} members and folders"
            raise PackageTooLarge(
                filename=self._filename,
                reason=reason,
                setting="CONDA_PACKAGE_LIMITS.member_count",
            )

    def _name_problem(self, name):
        if "\0" in name:
            return "has a NUL in its name"
        if _is_absolute(name):
            return "is an absolute path"
        if ".." in re.split(r"[/\\]", name):
            return "leaves its folder with '..'"
        return None

    def _symlink_problem(self, name, folder, target):
        # An empty target is legal: in old packages of zlib it was lost, and nobody noticed.
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

    def _hardlink_problem(self, target):
        path = _normalize(target)
        # A link's second name may be in another folder, and then it leads elsewhere.
        if self._name_problem(target) or path not in self._files or path in self._links:
            return f"is a hard link to '{shown(target)}', which is no file before it"
        return None

    def _refuse(self, name, reason):
        raise UnsafeMember(filename=self._filename, member=shown(name), reason=reason)


def _normalize(path):
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _parent(path):
    return path.rpartition("/")[0]


def _is_absolute(path):
    return re.match(r"[/\\]|[A-Za-z]:", path) is not None
