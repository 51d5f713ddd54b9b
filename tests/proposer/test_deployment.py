"""The fields of compose and Kubernetes that let a scan start, be secure and go on; tested without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CONTAINERS = ("evaluator", "proposer")

both = pytest.mark.parametrize("name", CONTAINERS)


def read(name: str) -> Any:
    return YAML(typ="safe").load(ROOT / name)


@pytest.fixture(scope="module")
def services() -> Any:
    return read("compose.yaml")["services"]


@pytest.fixture(scope="module")
def pod() -> Any:
    return read("kubernetes/base/job.yaml")["spec"]["template"]["spec"]


def container(pod: Any, name: str) -> Any:
    [found] = [own for own in (*pod["initContainers"], *pod["containers"]) if own["name"] == name]
    return found


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def volume(pod: Any, name: str, path: str) -> tuple[dict[str, Any], bool]:
    """The volume that a container mounts at a path, and whether it may write there."""
    [mount] = [entry for entry in container(pod, name)["volumeMounts"] if entry["mountPath"] == path]
    [found] = [volume for volume in pod["volumes"] if volume["name"] == mount["name"]]
    return {key: value for key, value in found.items() if key != "name"}, not mount.get("readOnly", False)


def test_compose_starts_the_proposer_when_the_evaluator_is_healthy(services: Any) -> None:
    assert services["proposer"]["depends_on"] == {"evaluator": {"condition": "service_healthy"}}
    health, listen = services["evaluator"]["healthcheck"], option(services["evaluator"]["command"], "--listen")
    port = listen.removeprefix("0.0.0.0:")
    assert health["test"] == ["CMD", "lodescan-evaluator", "healthy", f"127.0.0.1:{port}"]
    assert (
        health["retries"] >= 10 and health["interval"] == health["timeout"] == "5s"
    )  # an import of a code may take a minute
    assert option(services["proposer"]["command"], "--evaluator") == f"dns:///evaluator:{port}"  # all replicas


@both
def test_compose_restricts_both_containers(services: Any, name: str) -> None:
    service = services[name]
    assert service["read_only"] and service["init"]
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert service["tmpfs"] == ["/tmp:size=2g,mode=1777"]
    assert service["pids_limit"] > 0 and service["mem_limit"]


def test_the_evaluator_is_a_sidecar_and_the_job_starts_no_container_again(pod: Any) -> None:
    [evaluator], [proposer] = pod["initContainers"], pod["containers"]
    assert (evaluator["name"], evaluator["restartPolicy"]) == ("evaluator", "Always")
    assert (proposer["name"], pod["restartPolicy"]) == ("proposer", "Never")


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_evaluator_is_probed_where_it_listens_and_the_proposer_calls(pod: Any, probe: str) -> None:
    evaluator = container(pod, "evaluator")
    port = evaluator[probe]["grpc"]["port"]
    assert option(evaluator["args"], "--listen") == f"0.0.0.0:{port}"
    assert option(container(pod, "proposer")["args"], "--evaluator") == f"localhost:{port}"
    assert [entry["containerPort"] for entry in evaluator["ports"]] == [port]


def test_an_evaluator_has_minutes_to_start_and_is_not_killed_while_it_is_busy(pod: Any) -> None:
    start, life = (container(pod, "evaluator")[name] for name in ("startupProbe", "livenessProbe"))
    assert start["periodSeconds"] * start["failureThreshold"] >= 300
    assert life["periodSeconds"] * life["failureThreshold"] >= 120
    assert life["timeoutSeconds"] >= 10


def test_runs_are_on_a_claim_that_outlives_the_job(pod: Any) -> None:
    claim = read("kubernetes/base/volume.yaml")
    assert claim["kind"] == "PersistentVolumeClaim"
    found = {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    assert volume(pod, "proposer", "/runs") == (found, True)
    assert option(container(pod, "proposer")["args"], "--run").startswith("/runs/")
    assert (
        pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    )  # otherwise it could not write there


@both
def test_no_container_has_rights_that_it_does_not_need(pod: Any, name: str) -> None:
    whole, own = pod["securityContext"], container(pod, name)["securityContext"]
    assert whole["runAsNonRoot"] is True and whole["runAsUser"] > 0
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


@both
def test_each_container_has_its_own_tmp_and_reads_the_scan_file(pod: Any, name: str) -> None:
    held, writable = volume(pod, name, "/tmp")
    assert set(held) == {"emptyDir"} and writable
    mounts = [mount["name"] for own in pod["initContainers"] + pod["containers"] for mount in own["volumeMounts"]]
    assert mounts.count(f"{name}-tmp") == 1
    scan, writable = volume(pod, name, "/scan")
    assert set(scan) == {"configMap"} and not writable
    assert container(pod, name)["args"][1].startswith("/scan/")


def test_nobody_else_in_the_cluster_reaches_the_pod() -> None:
    policy, job = read("kubernetes/base/network.yaml"), read("kubernetes/base/job.yaml")
    assert policy["kind"] == "NetworkPolicy"
    labels = job["spec"]["template"]["metadata"]["labels"]
    selector = policy["spec"].pop("podSelector")["matchLabels"]
    assert selector and selector.items() <= labels.items()
    assert policy["spec"] == {"policyTypes": ["Ingress"]}


def test_bad_input_ends_the_job_and_a_lost_node_does_not_count(pod: Any) -> None:
    fail, ignore = read("kubernetes/base/job.yaml")["spec"]["podFailurePolicy"]["rules"]
    exits = {"containerName": "proposer", "operator": "In", "values": [2, 4, 5]}
    assert (fail["action"], fail["onExitCodes"]) == ("FailJob", exits)
    assert (ignore["action"], ignore["onPodConditions"]) == ("Ignore", [{"type": "DisruptionTarget", "status": "True"}])
