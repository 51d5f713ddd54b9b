"""Cores and memory of a point: how many points run at once, and which limits programs and functions get."""

import math
import re

import pytest

from evaluator.chain import Chain, Status
from evaluator.codes import resources
from evaluator.codes.resources import points_at_once
from evaluator.cores import cores_here, cpu_quota
from scanspec import ScanFileError, read_scan_file

TELLS = """\
#!/bin/sh
# usage: tells.sh CORES INPUT OUTPUT
data=$(ulimit -d | sed s,unlimited,0,)
printf 'BLOCK TOLD\\n 1 %s\\n 2 %s\\n 3 %s\\n 4 %s\\n' $1 $OMP_NUM_THREADS $MKL_NUM_THREADS $data > $3
"""
OBSERVABLES = ", ".join(f"{name}: {{slha: [TOLD, {n}]}}" for n, name in enumerate(["cores", "omp", "mkl", "data"], 1))


@pytest.fixture
def told(scan_file, tmp_path, monkeypatch, chain):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "7")

    def run(settings, setup=""):
        scan = scan_file(
            f"{setup}variables: {{x: [0, 1]}}\ncodes:\n  tells:\n"
            "    command: ./tells.sh {cores} {input} {output}\n"
            f"    input_file: in.slha\n    {settings}\n    observables: {{{OBSERVABLES}}}\n"
            "observables: {all: {function: cores, mean: 1, sigma: 1}}\n",
            tells__sh=TELLS,
            in__slha="BLOCK IN\n 1 x\n",
        )
        (tmp_path / "tells.sh").chmod(0o755)
        outcome = chain(scan).evaluate([0.5], tmp_path / "point")
        assert outcome.status is Status.OK, outcome.message
        return outcome.observables[:4]

    return run


def test_a_program_gets_the_number_of_its_cores_and_a_memory_limit(told):
    assert told("cores: 3\n    memory: 2 GiB") == [3, 3, 3, 2**21]
    assert told("memory: 1024 MiB")[:3] == [1, 7, 7]
    setup = "setup: {environment_variables: {OMP_NUM_THREADS: 7}}\n"
    assert told("cores: 3", setup)[:3] == [3, 7, 3]


@pytest.mark.parametrize(
    ("command", "threads"),
    [
        ("./mpirun -n {cores} ./rank.sh", 1),
        ("./mpirun --quiet -np 2 ./rank.sh", 3),
        ("./mpirun --ntasks=3 ./rank.sh", 2),
        ("./mpirun -n 12 ./rank.sh", 1),  # more processes than the code has cores
        ("./rank.sh -n {cores}", 6),
    ],
)
def test_the_processes_of_a_launcher_share_the_cores(scan_file, tmp_path, chain, command, threads):
    """Each process of MPI gets its part of the threads; six processes with six threads each would be 36."""
    scan = scan_file(
        f"variables: {{x: [0, 1]}}\ncodes:\n  loops:\n    command: {command} {{input}} {{output}}\n"
        "    input_file: in.slha\n    cores: 6\n    observables: {threads: {slha: [TOLD, 1], mean: 1, sigma: 1}}\n",
        mpirun='#!/bin/sh\nwhile [ "${1%rank.sh}" = "$1" ]; do shift; done\nexec "$@"\n',
        rank__sh="#!/bin/sh\nfor last; do :; done\nprintf 'BLOCK TOLD\\n 1 %s\\n' $OMP_NUM_THREADS > $last\n",
        in__slha="BLOCK IN\n 1 x\n",
    )
    for name in ("mpirun", "rank.sh"):
        (tmp_path / name).chmod(0o755)
    outcome = chain(scan).evaluate([0.5], tmp_path / "point")
    assert outcome.status is Status.OK, outcome.message
    assert list(outcome.observables) == [threads]


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/", {"cpu.max": "300000 100000"}, 3),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, 2.5),
        ("0::/docker/0123", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/", {"cpu.max": "900000 100000"}, 9),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpu,cpuacct:/x", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_the_number_of_cores_follows_the_cpu_quota_of_a_container(tmp_path, groups, files, wanted):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{groups}\n")
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    assert cpu_quota(tmp_path) == wanted


def test_a_program_that_takes_more_memory_fails(scan_file, tmp_path, chain):
    scan = scan_file(
        "variables: {x: [0, 1]}\ncodes:\n  eats:\n    command: ./eats.py {input} {output}\n    input_file: in.slha\n"
        "    memory: 200 MB\n    observables: {y: {slha: [OUT, 1], mean: 1, sigma: 1}}\n",
        in__slha="BLOCK IN\n 1 x\n",
        eats__py="#!/usr/bin/env python3\nfood = b'x' * 400_000_000\n",
    )
    (tmp_path / "eats.py").chmod(0o755)
    outcome = chain(scan).evaluate([0.5], tmp_path / "point")
    assert (outcome.status, outcome.message) == (Status.FAILED, "exit code 1: MemoryError")


@pytest.mark.parametrize(
    ("settings", "cores", "memory", "wanted"),
    [
        ("timeout: 9", 8, 16, 8),
        ("cores: 4", 8, 16, 2),
        ("cores: 3", 8, 16, 2),
        ("memory: 5 GB", 8, 16, 3),
        ("cores: 2\n    memory: 16 GB", 8, 16, 1),
    ],
)
def test_as_many_points_run_at_once_as_fit(python_scan, monkeypatch, settings, cores, memory, wanted):
    monkeypatch.setattr(resources, "cores_here", lambda: cores)
    monkeypatch.setattr(resources, "cpu_quota", lambda: math.inf)
    monkeypatch.setattr(resources, "memory_limit", lambda: memory * 10**9)
    chain = Chain(read_scan_file(python_scan(settings=settings)))
    assert points_at_once([step.code for step in chain.steps]) == wanted


@pytest.mark.parametrize(("settings", "key"), [("cores: 9", "cores"), ("memory: 17 GB", "memory")])
def test_a_point_that_does_not_fit_at_all_is_an_error(python_scan, monkeypatch, settings, key):
    monkeypatch.setattr(resources, "cores_here", lambda: 8)
    monkeypatch.setattr(resources, "cpu_quota", lambda: math.inf)
    monkeypatch.setattr(resources, "memory_limit", lambda: 16 * 10**9)
    chain = Chain(read_scan_file(python_scan(settings=settings)))
    with pytest.raises(ScanFileError, match=rf"line 5: codes: toy: one point wants more {key} than this machine has"):
        points_at_once([step.code for step in chain.steps])


@pytest.mark.parametrize(
    ("cores", "quota", "wanted"),
    [(1, 0.5, 1), (1, 1.5, 1), (1, 3.9, 3), (1, 12.0, 8), (2, 1.5, 1), (2, 3.9, 1), (2, 4.0, 2), (4, 3.9, 1)],
)
def test_a_quota_limits_the_points_at_once_and_not_the_cores_of_one(python_scan, monkeypatch, cores, quota, wanted):
    """A quota limits CPU time, not cores. More workers would only wait, but one point may still use part of another
    core.
    """
    monkeypatch.setattr(resources, "cores_here", lambda: 8)
    monkeypatch.setattr(resources, "cpu_quota", lambda: quota)
    chain = Chain(read_scan_file(python_scan(settings=f"cores: {cores}")))
    assert points_at_once([step.code for step in chain.steps]) == wanted


@pytest.mark.parametrize(
    ("cores", "quota", "limit"),
    [
        (8, 1.5, "the CPU quota of this container is worth (1.5 cores)"),
        (8, 1.0, "the CPU quota of this container is worth (1 core)"),
        (1, 0.5, "this machine has or lets this process use (1 core)"),
        (2, 1.5, "this machine has or lets this process use (2 cores)"),
    ],
)
def test_the_message_names_a_code_with_too_few_cores(python_scan, monkeypatch, cores, quota, limit):
    monkeypatch.setattr(resources, "cores_here", lambda: cores)
    monkeypatch.setattr(resources, "cpu_quota", lambda: quota)
    chain = Chain(read_scan_file(python_scan(settings="cores: 3")))
    with pytest.raises(ScanFileError, match=re.escape(f"one point wants more cores than {limit}; correct it, or say")):
        points_at_once([step.code for step in chain.steps])


@pytest.mark.parametrize("wrong", ["8", "GB", "0 GB", "8 apples", "-1 GB", ".nan GB", "1 GB more", "[1, 2]"])
def test_memory_has_a_unit(python_scan, wrong):
    with pytest.raises(ScanFileError, match=r"line 5: .*memory"):
        read_scan_file(python_scan(settings=f"memory: {wrong}"))


def test_an_evaluator_gives_its_workers_the_cores_and_memory_of_a_function(scan_file, evaluator):
    """There is one worker by default, because a point takes all cores. It gets no more memory than its code says."""
    cores = math.ceil(min(cores_here(), cpu_quota()))
    text = (
        "import os, resource\n\nBEGAN = os.environ['OMP_NUM_THREADS']\n\n\ndef f(point):\n"
        "    return {'threads': float(BEGAN), 'data': resource.getrlimit(resource.RLIMIT_DATA)[0]}\n"
    )
    scan = scan_file(
        f"variables: {{x: [0, 1]}}\ncodes: {{told: {{function: told:f, cores: {cores}, memory: 1 GB,\n"
        "    observables: {threads: {mean: 1, sigma: 1}, data: }}}\n",
        told__py=text,
    )
    server = evaluator(scan, workers=None)
    assert server.describe().concurrency == 1
    assert list(server.evaluate([[0.5]])[0].observables) == [cores, 1e9]
