"""Identifies everything that determines a code's results: its files by hash, and its packages by version."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path, PurePath

from evaluator.codes.from_source import remove_old_byte_code
from evaluator.codes.shell_scripts import named_programs
from evaluator.errors import ConfigurationError
from scanspec.files import NotAFile, require_regular

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_PHYSICS = sys.stdlib_module_names | {"evaluator", "scanspec", "lodescan"}
_EXTRA = re.compile(r"\bextra\s*==")
_BESIDE = PurePath()

MOST_LINKED = 10_000
"""The largest number of files and folders behind the links of one folder."""


Stamp = tuple[int, int, int, int]
"""The properties of a file that change together with its content, as far as the file system tells."""


SETTLED = 2 * 10**9
"""Nanoseconds after the last change of a file. After this time, another change gives the file another stamp, on any
file system.
"""


class FileHash(str):  # noqa: SLOT000  # a str can have no slots
    """The hash of a file's content, with the file's path and its stamp before it was read."""

    path: Path
    stamp: Stamp
    settled: bool
    """Whether an equal stamp means an equal content."""
    writable: bool = False
    """Whether the code itself may write the file, for example a log or a cache that its command names."""


_known: dict[Path, FileHash] = {}


def stamp_of(status: os.stat_result) -> Stamp:
    """The times of the last changes (the second cannot be set by hand), the size, and the inode number of a file."""
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def file_hash(path: Path) -> FileHash:
    """SHA-256 of a file without its `#!` line, which contains the path of an environment and no physics.

    A file with an unchanged stamp is not read again, because each start of a worker asks for the hash, also that of a
    large table.
    """
    status, path = os.stat(path), path.absolute()
    stamp, known = stamp_of(status), _known.get(path)
    if known is not None and known.settled and known.stamp == stamp:
        return known
    settled = time.time_ns() - max(stamp[:2]) > SETTLED
    try:
        require_regular(path, status.st_mode)  # reading a pipe or a device may never end
    except NotAFile as error:
        raise ConfigurationError(f"{path} cannot be used: {error.strerror}; name a file") from None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if file.read(2) == b"#!":
            file.readline()
        else:
            file.seek(0)
        while part := file.read(2**20):
            digest.update(part)
    found = FileHash(digest.hexdigest())
    found.path, found.stamp, found.settled = path, stamp, settled
    _known[path] = found
    return found


def written_hash(path: Path) -> FileHash:
    """`file_hash` of a file that the code itself may write."""
    known = file_hash(path)
    found = FileHash(known)
    found.path, found.stamp, found.settled, found.writable = known.path, known.stamp, known.settled, True
    return found


def module_sources(module: str, folder: Path) -> dict[str, str]:
    """Hashes of a module in the scan file's folder and of the modules there that it imports, and the versions of the
    packages that these use.
    """
    found: dict[str, str] = {}
    _visit(module, folder, found)
    return found


def script_sources(path: Path, script_folder: PurePath) -> dict[str, str]:
    """The sources of an executable: its hash, and the sources of the modules that it imports if it is a
    Python script. `script_folder` is its folder, as in `add_imported`.
    """
    found: dict[str, str] = {f"program {path.name}": file_hash(path)}
    add_imported(path, script_folder, found)
    return found


def add_imported(path: Path, script_folder: PurePath, found: dict[str, str]) -> None:
    """Adds what a script in Python imports, and the programs that a shell script names with what these need; nothing
    for another file.

    `script_folder` is the script's folder as the scan file names it. It tells the helpers of scripts in several folders
    apart. Other folders are `...`, wherever they are.
    """
    with path.open("rb") as file:
        head = file.readline(200) + file.readline(1000)  # pip writes a long interpreter into the second line
    if path.suffix == ".py" or (head.startswith(b"#!") and b"python" in head):
        for name in _imports(path):
            _visit(name, path.parent, found, script_folder)
    elif head.startswith(b"#!"):
        for program in named_programs(path):
            is_below = program.is_relative_to(path.parent)
            folder = script_folder / program.relative_to(path.parent).parent if is_below else PurePath("...")
            with contextlib.suppress(OSError):  # it may have gone, or may only look like a program
                # the script may write it, and on some file systems a table is executable, too
                if _add(f"program {folder / program.name}", program, found, written_hash):
                    add_imported(program, folder, found)


def _add(key: str, path: Path, found: dict[str, str], hash_of: Callable[[Path], FileHash] = file_hash) -> bool:
    """Adds the hash of a file; returns False if the file is there already. If another file has the key, for example
    that of another folder `...`, a number is added to it.
    """
    for number in itertools.count(1):
        own = key if number == 1 else f"{key} ({number})"
        known = found.get(own)
        if known is None:
            found[own] = now = hash_of(path)
            if path.suffix == ".py":
                remove_old_byte_code(path, max(now.stamp[:2]) + SETTLED)
            return True
        if isinstance(known, FileHash) and os.path.realpath(known.path) == os.path.realpath(path):
            return False
    raise AssertionError


def _visit(module: str, folder: Path, found: dict[str, str], script_folder: PurePath = _BESIDE) -> None:
    top = module.partition(".")[0]
    files = _files(top, folder)
    if not files and top in sys.stdlib_module_names:
        return
    if not files and not (versions := _package_versions(top)):
        folder = _elsewhere(top) or folder
        files = _files(top, folder)
    elif not files:
        found.update(versions)
        if _is_worked_on(top):
            folder = _elsewhere(top) or folder
            files = _files(top, folder)
    for path in files:
        if _add(f"file {script_folder / path.relative_to(folder)}", path, found):
            for name in _imports(path):
                _visit(name, folder, found, script_folder)


def _files(top: str, folder: Path) -> list[Path]:
    """The files of a module in a folder: all files of a package, also compiled ones."""
    if os.path.isfile(folder / f"{top}.py"):
        return [folder / f"{top}.py"]
    inside = [path for path in files_below(folder / top) if path.suffix in (".py", ".so")]
    return sorted([*inside, *(path for path in folder.glob(f"{top}.*so") if path.is_file())])


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, also behind links to folders; each folder once.

    Raises ConfigurationError if links lead out of the folder to more than MOST_LINKED files and folders.
    """
    own = "" if os.path.islink(folder) else os.path.realpath(folder)
    seen = set[str]()
    linked = 0
    for top, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(top)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        if not own or not Path(real).is_relative_to(own):
            linked += 1 + len(names)
        if linked > MOST_LINKED:
            link = _link_to(top, folder)
            raise ConfigurationError(
                f"the link {link} leads to {os.path.realpath(link)}, and links below {folder} lead to more than "
                f"{MOST_LINKED:,} files; each start compares them all, so put links to the needed files in its place"
            )
        yield from (path for name in sorted(names) if os.path.isfile(path := Path(top, name)))


def _link_to(top: str, folder: Path) -> Path:
    """The first link on the way from a folder to another below it."""
    below = [path for path in (Path(top), *Path(top).parents) if path.is_relative_to(folder)]
    return next(path for path in reversed(below) if path.is_symlink() or path == Path(top))


def _elsewhere(top: str) -> Path | None:
    """The folder of a module that belongs to no installed package: a folder on PYTHONPATH, or an editable checkout."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not os.path.isabs(spec.origin):
        return None
    path = Path(spec.origin)
    return path.parent.parent if path.name == "__init__.py" else path.parent


def syntax_tree(path: Path) -> ast.Module:
    """The syntax of a file in Python; empty if Python cannot read it."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # it may nest too deep
        return ast.parse(path.read_bytes())
    return ast.Module([], [])


def _imports(path: Path) -> list[str]:
    if path.suffix == ".so":
        return []
    names: list[str] = []
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
        elif isinstance(node, ast.Call) and node.args and _called(node) in ("import_module", "__import__"):
            name = getattr(node.args[0], "value", None)
            if isinstance(name, str) and name and not name.startswith("."):
                names.append(name)
    return [name for name in names if name.partition(".")[0] not in _NOT_PHYSICS]


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def _is_worked_on(top: str) -> bool:
    """Whether a module's package is installed as a checkout that may be edited (`pip install -e`)."""
    from importlib.metadata import PackageNotFoundError, distribution  # imported here: workers do not need it

    for name in distributions().get(top, []):
        with contextlib.suppress(PackageNotFoundError, ValueError, AttributeError):
            origin = distribution(name).read_text("direct_url.json")
            if origin and json.loads(origin).get("dir_info", {}).get("editable"):
                return True
    return False


def _package_versions(top: str) -> dict[str, str]:
    found: dict[str, str] = {}
    _add_versions(distributions().get(top, []), found)
    return found


def _add_versions(names: Iterable[str], found: dict[str, str]) -> None:
    from importlib.metadata import PackageNotFoundError, distribution

    for name in names:
        key = f"package {name.lower().replace('_', '-')}"
        if key in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # an optional package that is not installed
            continue
        found[key] = package.version
        required = [requirement for requirement in package.requires or [] if not _EXTRA.search(requirement)]
        _add_versions([match.group() for requirement in required if (match := _NAME.match(requirement))], found)


@cache
def distributions() -> dict[str, list[str]]:
    """The installed distributions that provide each top-level package."""
    from importlib.metadata import packages_distributions

    return {top: sorted(set(names)) for top, names in packages_distributions().items()}
