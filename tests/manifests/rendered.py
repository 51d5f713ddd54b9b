"""The manifests as kubectl renders them: a base or an overlay with components."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).parents[2] / "kubernetes"
OVERLAYS = ["base", *(f"overlays/{folder.name}" for folder in sorted((KUBERNETES / "overlays").iterdir()))]
COMPONENTS = sorted(folder.name for folder in (KUBERNETES / "components").iterdir())

Resource = dict[str, Any]


@cache
def render(overlay: str, *components: str, settings: tuple[str, ...] = ()) -> list[Resource]:
    """What `kubectl apply -k` would send for a folder that a user has written; `settings` replace those of the base."""
    if shutil.which("kubectl") is None:
        pytest.fail("there is no kubectl: install it (https://kubernetes.io/docs/tasks/tools)", pytrace=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(KUBERNETES, root / "kubernetes")
        mine: Resource = {
            "resources": [f"kubernetes/{overlay}"],
            "components": [f"kubernetes/components/{name}" for name in components],
        }
        if settings:
            generator = {"name": "lodescan-settings", "behavior": "merge", "literals": list(settings)}
            mine["configMapGenerator"] = [generator]
        (root / "kustomization.yaml").write_text(yaml.safe_dump(mine))
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


def find(resources: list[Resource], kind: str, name: str) -> Resource:
    [found] = [resource for resource in resources if (resource["kind"], resource["metadata"]["name"]) == (kind, name)]
    return found


def jobs(resources: list[Resource]) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == "Job"]


def containers(job: Resource) -> Iterator[Resource]:
    pod = job["spec"]["template"]["spec"]
    yield from (*(pod.get("initContainers") or ()), *pod["containers"])


def container(resources: list[Resource], name: str) -> Resource:
    """The only container of that name, in any Job."""
    [found] = [one for job in jobs(resources) for one in containers(job) if one["name"] == name]
    return found


def option(container: Resource, name: str) -> str:
    words: list[str] = container["args"]
    return words[words.index(name) + 1]
