"""What packages add to those that are built with them, in a file beside the repodata: run_exports.json.

Format: CEP 12. It tells what is in the packages, so patches of records do not reach it.
"""

import orjson

from pulp_conda.channel.errors import BadUpstreamFile, shown
from pulp_conda.channel.metadata.stream import MAX_SIZE, ObjectWriter, read_json

KINDS = ("weak", "strong", "weak_constrains", "strong_constrains", "noarch")

_DEPTHS = {"info": 1, "packages": 2, "packages.conda": 2}


def check_run_exports(value):
    """Return run_exports in one form: a list of specs by kind.

    A list alone is `weak` (CEP 34), and one text is a list of it, as conda-build has it. Keys that no CEP knows are
    kept as they are, such as the `schema_version` that CEP 43 counts up.

    Raises:
        ValueError: in words, for what clients could not read.
    """
    if isinstance(value, str | list):
        value = {"weak": value}
    if not isinstance(value, dict):
        raise ValueError("they are not an object")
    checked = {}
    for key, specs in value.items():
        if key in KINDS:
            if specs is None:
                continue
            specs = [specs] if isinstance(specs, str) else specs
            if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
                raise ValueError(f"'{key}' is not a list of strings")
        checked[key] = specs
    try:
        canonical(checked)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"they cannot be written as JSON ({error})") from None
    return checked


def canonical(run_exports):
    """Return run_exports as bytes: the same ones give the same bytes, whatever the order of their keys."""
    return orjson.dumps(run_exports, option=orjson.OPT_SORT_KEYS)


def read_run_exports(file, *, url, max_size=MAX_SIZE):
    """Yield (file name, run_exports) of a run_exports.json, or zstd of it.

    Raises:
        BadUpstreamFile: when the reading gets to the place where the file is broken.
        RepodataTooLarge: it is larger than the limit.
    """
    entries = read_json(file, _DEPTHS, url=url, error=BadUpstreamFile, max_size=max_size)
    for path, entry in entries:
        match path:
            case ("packages" | "packages.conda", str(filename)):
                pass
            case ("v3", str("conda" | "tar.bz2") as extension, str(stem)):
                filename = f"{stem}.{extension}"  # rattler looks here as well.
            case ("packages" | "packages.conda", *_):
                raise BadUpstreamFile(url=url, reason=f"its '{path[0]}' is not an object")
            case _:
                continue
        try:
            run_exports = check_run_exports(entry["run_exports"])
        except (LookupError, TypeError):
            reason = f"'{shown(filename)}' has no 'run_exports' in it"
            raise BadUpstreamFile(url=url, reason=reason) from None
        except ValueError as error:
            reason = f"the run_exports of '{shown(filename)}' are wrong: {error}"
            raise BadUpstreamFile(url=url, reason=reason) from None
        yield filename, run_exports


class RunExportsWriter:
    """Writes `run_exports.json`: every package of the subdir has an entry, also those without run_exports."""

    def __init__(self, file, subdir):
        self._file = file
        self._subdir = subdir
        self._packages = ObjectWriter()
        self._conda = ObjectWriter()

    def add(self, filename, run_exports):
        """Write what a package has, given as the bytes that `canonical` gave."""
        section = self._conda if filename.endswith(".conda") else self._packages
        section.add(filename, b'{"run_exports":%b}' % run_exports)

    def close(self):
        """Write the file."""
        info = orjson.dumps({"subdir": self._subdir, "version": 1})
        self._file.write(b'{"info":' + info + b',"packages":')
        self._packages.write_to(self._file)
        self._file.write(b',"packages.conda":')
        self._conda.write_to(self._file)
        self._file.write(b"}\n")
