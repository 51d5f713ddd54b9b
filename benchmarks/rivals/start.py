"""Starts another scanner in its own environment, answers it, and says why it ended."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rivals.answers import Answers

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rival:
    """`lock`: the file in this folder with the packages of its environment; "" for that of the proposer. `script`: a
    module in this folder, started with `argument`.
    """

    lock: str
    script: str
    argument: str = ""


RIVALS = {
    "bsmart-dnnc": Rival("bsmart", "bsmart", "dnnc"),
    "bsmart-dnnc-default": Rival("bsmart", "bsmart", "dnnc-default"),
    "bsmart-cmaes-nd": Rival("bsmart", "bsmart", "cmaes-nd"),
    "nautilus": Rival("nautilus", "nautilus"),
    "nautilus-flat": Rival("nautilus", "nautilus", "flat"),
    "ultranest": Rival("ultranest", "ultranest"),
    "cma-restarts": Rival("cma", "cma_restarts"),
    "forest": Rival("", "forest"),
    "dlscanner": Rival("dlscanner", "dlscanner"),
}


def run_rival(rival: Rival, answers: Answers, volume: float, seed: int, cpu: int) -> tuple[str, float]:
    """Runs the scanner; returns why it ended, and its CPU seconds."""
    python = _environment(rival.lock) if rival.lock else sys.executable
    ask, questions = os.pipe()
    replies, reply = os.pipe()
    told = {
        "read": replies,
        "write": questions,
        "dim": answers.problem.dim,
        "seed": seed,
        "volume": volume,
        "threshold": answers.problem.threshold,
        "most": answers.most,
        "cpu_seconds": cpu,
        "low": answers.problem.low,
        "high": answers.problem.high,
    }
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = _cpu_of_children()
    with open(os.devnull, "w") as nothing, tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [python, "-m", f"benchmarks.rivals.{rival.script}", *filter(None, [rival.argument])],
            env={**os.environ, **one_thread, "RIVAL_TOLD": json.dumps(told)},
            pass_fds=(replies, questions),
            stdout=nothing,
            stderr=errors,
            stdin=subprocess.DEVNULL,
        )
        os.close(replies)
        os.close(questions)
        with os.fdopen(ask, "rb") as incoming, os.fdopen(reply, "wb") as outgoing:
            answers.serve(incoming, outgoing)
        try:  # the pipes are closed now, so the process ends at its next question
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        errors.seek(0)
        last = [line for line in errors.read().splitlines() if line.strip()][-1:]
    used = _cpu_of_children() - before
    if answers.ended:
        return answers.ended, used
    if code == -signal.SIGXCPU:
        return "CPU seconds", used
    return f"exit {code}: {last[0][:100] if last else 'no word'}", used


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment(lock: str) -> str:
    """The Python of a scanner's environment, which is made from its lock at the first use, and again when the lock has
    changed.
    """
    folder = Path(f".envs/rival-{lock}")
    python, wanted, made = f"{folder}/bin/python", (HERE / f"{lock}.txt").read_text(), folder / "lock.txt"
    if not made.exists() or made.read_text() != wanted:
        print(f"making the environment of {lock} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-deps"]
        packages = wanted.split()
        quickly = ["--retries", "0", "--timeout", "5", "--index-url"]
        quickly.append(os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu"))
        for torch in (
            package for package in packages if package.startswith("torch==")
        ):  # without the gigabytes of CUDA, if possible
            subprocess.run([*pip, *quickly, torch], check=False, capture_output=True)
        subprocess.run([*pip, *packages], check=True)
        made.write_text(wanted)
    return python
