"""The memory limit of workers is that of the machine or of the container, read from the kernel's files."""

import os
import resource
import subprocess
import sys

import pytest

from evaluator.memory import RESERVED, SHARE, memory_limit

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
CORES = len(os.sched_getaffinity(0))
GIB = 2**30
UNLIMITED_V1 = "9223372036854771712"


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        # version 2, in a container with its own view, and on a host, where groups are nested
        ("0::/", {"memory.max": "104857600"}, 104857600),
        ("0::/", {"memory.max": "max"}, None),
        ("0::/", {}, None),
        ("0::/system/job", {"system/job/memory.max": "max", "system/memory.max": "209715200"}, 209715200),
        ("0::/a/b", {"a/b/memory.max": "300", "a/memory.max": "200", "memory.max": "400"}, 200),
        # the path is that of the host, but the mount is that of the container
        ("0::/docker/0123", {"memory.max": "104857600"}, 104857600),
        # version 1
        ("4:cpu,cpuacct:/\n9:memory:/", {"memory/memory.limit_in_bytes": "104857600"}, 104857600),
        ("9:hugetlb,memory:/docker/ab", {"memory/docker/ab/memory.limit_in_bytes": "104857600"}, 104857600),
        ("9:memory:/docker/0123", {"memory/memory.limit_in_bytes": "104857600"}, 104857600),
        ("9:memory:/", {"memory/memory.limit_in_bytes": UNLIMITED_V1}, None),
        ("4:cpu:/", {"memory/memory.limit_in_bytes": "104857600"}, None),
        # both at once: the controllers of version 1, the groups of version 2
        ("9:memory:/x\n0::/x", {"memory/x/memory.limit_in_bytes": "104857600"}, 104857600),
        # a limit that is not a number is ignored
        ("nothing", {"memory.max": "104857600x"}, None),
    ],
)
def test_the_limit_of_a_container_holds(tmp_path, groups, files, limit):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups + "\n")
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    assert memory_limit(tmp_path) == (MACHINE if limit is None else int(SHARE * limit) + RESERVED * CORES)


def test_without_control_groups_the_limit_is_that_of_the_machine(tmp_path):
    assert memory_limit(tmp_path) == MACHINE


def test_a_program_that_wants_more_memory_fails():
    here = memory_limit()
    lines = [
        "import resource",
        "import evaluator.codes.programs as programs",
        f"programs.memory_limit = lambda: {GIB // 2}",
        "programs.limit_resources()",
        "print(resource.getrlimit(resource.RLIMIT_DATA)[0])",
        "try:",
        f"    bytearray({GIB})",
        "except MemoryError:",
        "    print('refused')",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(GIB // 2), "refused"]
    assert 0 < here <= MACHINE
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != GIB // 2  # only the child has the limit
