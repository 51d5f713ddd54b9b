"""The control groups of this process, which have the limits of a container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def control_groups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Yields the folders of this process's control group and of its parents, each with its version of cgroups, 1 or 2.

    `root`: the root of the file tree with proc and sys. Each line of /proc/self/cgroup is hierarchy:controllers:path;
    version 2 has no controllers. In a container the path may be that of the host, so some of these folders may be
    missing.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            version, folder = 2, root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            version, folder = 1, root / "sys/fs/cgroup" / controller
        else:
            continue
        inner = Path(group.strip("/"))
        for control_group in (inner, *inner.parents):
            yield version, folder / control_group
