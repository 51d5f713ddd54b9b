"""Every overlay with every choice of components follows the schemas of Kubernetes, and its resources fit together."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from tests.manifests.rendered import (
    COMPONENTS,
    KUBERNETES,
    OVERLAYS,
    Resource,
    container,
    containers,
    find,
    jobs,
    option,
    render,
)

VERSIONS = ["1.29", "1.37"]  # the oldest and the newest that docs/kubernetes.md promises
NOT_KUBERNETES = {"Certificate", "Issuer", "PodMonitor"}  # of cert-manager and of Prometheus' operator

CHOICES = [
    choice
    for number in range(len(COMPONENTS) + 1)
    for choice in itertools.combinations(COMPONENTS, number)
    if not {"tls", "tls-cert-manager"} <= {*choice}  # the second component contains the first
]

every = pytest.mark.parametrize("choice", CHOICES, ids="+".join)
everywhere = pytest.mark.parametrize("overlay", OVERLAYS)


@cache
def faults(resource: str, version: str) -> str:
    try:
        assert kubernetes_validate.validate(json.loads(resource), version, strict=True) == version
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return ""


@everywhere
@every
def test_every_choice_follows_the_schemas(overlay: str, choice: tuple[str, ...]) -> None:
    resources = render(overlay, *choice)
    known = [entry for entry in resources if entry["kind"] not in NOT_KUBERNETES]
    assert {"Job", "NetworkPolicy", "PersistentVolumeClaim"} <= {entry["kind"] for entry in known}
    for version, resource in itertools.product(VERSIONS, known):
        assert faults(json.dumps(resource), version) == ""


def test_a_misspelt_field_is_a_fault() -> None:
    [job] = jobs(render("base"))
    assert "podReplacmentPolicy" in faults(
        json.dumps({**job, "spec": {**job["spec"], "podReplacmentPolicy": "Failed"}}), VERSIONS[0]
    )


@everywhere
@every
def test_every_mount_of_a_pod_exists_and_no_container_can_gain_rights(overlay: str, choice: tuple[str, ...]) -> None:
    rendered = jobs(render(overlay, *choice))
    assert rendered
    for job in rendered:
        pod = job["spec"]["template"]["spec"]
        volumes = [volume["name"] for volume in pod["volumes"]]
        mounted = [mount["name"] for one in containers(job) for mount in one["volumeMounts"]]
        assert sorted(volumes) == sorted({*mounted})
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for one in containers(job):
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert one["securityContext"]["readOnlyRootFilesystem"] is True


@everywhere
def test_two_proposers_never_write_at_the_same_time(overlay: str) -> None:
    rendered = jobs(render(overlay))
    assert rendered
    for job in rendered:
        assert job["spec"]["podReplacementPolicy"] == "Failed"
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_the_pool_is_two_jobs_and_one_name_for_all_addresses() -> None:
    resources = render("overlays/pool")
    assert [job["metadata"]["name"] for job in jobs(resources)] == ["evaluators", "proposer"]
    service, evaluators = find(resources, "Service", "evaluators"), find(resources, "Job", "evaluators")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == evaluators["spec"]["template"]["metadata"]["labels"]
    assert option(container(resources, "proposer"), "--evaluator") == "dns:///evaluators:50051"
    [port] = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (50051, "grpc")


def test_a_drained_evaluator_does_not_end_the_work_queue() -> None:
    resources = render("overlays/pool")
    spec = find(resources, "Job", "evaluators")["spec"]
    assert spec["parallelism"] > 1 and "completions" not in spec
    rules = {tuple(rule["onExitCodes"]["values"]): rule["action"] for rule in spec["podFailurePolicy"]["rules"][1:]}
    assert rules == {(6,): "Ignore", (2,): "FailJob"}
    assert spec["podFailurePolicy"]["rules"][0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    evaluator = container(resources, "evaluator")
    assert "--until-finished" in evaluator["args"] and "--lifetime" in evaluator["args"]
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= float(option(evaluator, "--grace")) + 5


def test_evaluators_end_after_some_time_even_without_a_proposer() -> None:
    """An evaluator without a proposer ends with an exit code for which Kubernetes replaces it, so only the Job's
    deadline ends the Job.
    """
    resources = render("overlays/pool")
    seconds = find(resources, "Job", "evaluators")["spec"]["activeDeadlineSeconds"]
    lifetime = option(container(resources, "evaluator"), "--lifetime")
    assert seconds > 10 * 3600 * float(lifetime.removesuffix("h"))  # a scan that takes days is not cut short
    assert "activeDeadlineSeconds" not in find(resources, "Job", "proposer")["spec"]  # a scan has max_hours
    documented = (KUBERNETES.parent / "docs" / "kubernetes.md").read_text()
    assert f"`activeDeadlineSeconds: {seconds}`" in documented


def test_only_the_proposer_reaches_the_evaluators() -> None:
    resources = render("overlays/pool")
    proposer = find(resources, "Job", "proposer")["spec"]["template"]["metadata"]["labels"]
    policy = find(resources, "NetworkPolicy", "lodescan")["spec"]
    assert policy["ingress"] == [
        {"from": [{"podSelector": {"matchLabels": proposer}}], "ports": [{"port": 50051, "protocol": "TCP"}]}
    ]
    for job in jobs(resources):
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()


def test_each_seed_has_its_own_folder_and_fails_alone() -> None:
    resources = render("overlays/seeds")
    [job] = jobs(resources)
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["completions"] > 1
    assert "backoffLimit" not in job["spec"] and job["spec"]["backoffLimitPerIndex"] > 0
    assert job["spec"]["podFailurePolicy"]["rules"][0]["action"] == "FailIndex"
    proposer = container(resources, "proposer")
    assert option(proposer, "--seed") == "$(JOB_COMPLETION_INDEX)"
    assert option(proposer, "--run").endswith("-$(JOB_COMPLETION_INDEX)")
    claim = find(resources, "PersistentVolumeClaim", "lodescan-runs")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_each_scan_file_has_its_own_pair() -> None:
    resources = render("overlays/files")
    sides = [container(resources, name) for name in ("evaluator", "proposer")]
    assert [side["args"][1] for side in sides] == ["/scan/$(JOB_COMPLETION_INDEX).yaml"] * 2
    assert "--seed" not in sides[1]["args"]


@everywhere
def test_another_scan_file_has_to_be_named_only_once(overlay: str) -> None:
    resources = render(overlay, settings=("SCAN=toy3d.yaml",))
    assert find(resources, "ConfigMap", "lodescan-settings")["data"] == {"SCAN": "toy3d.yaml", "RUN": "simsusy_stau"}


def client_files(container: Resource) -> dict[str, Any]:
    return {name: option(container, name) for name in ("--tls-ca", "--tls-cert", "--tls-key")}


@everywhere
@pytest.mark.parametrize("component", ["tls", "tls-cert-manager"])
def test_both_sides_and_the_probe_use_tls(overlay: str, component: str) -> None:
    resources = render(overlay, component)
    evaluator, proposer = container(resources, "evaluator"), container(resources, "proposer")
    for side in (evaluator, proposer):
        assert "--insecure" not in side["args"]
        assert all(path.startswith("/tls/") for path in client_files(side).values())
        assert {"mountPath": "/tls", "name": f"{side['name']}-tls", "readOnly": True} in side["volumeMounts"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        words = evaluator[probe]["exec"]["command"]
        assert words[:3] == ["lodescan-evaluator", "healthy", "localhost:50051"]
        assert words[3:] == [f"{name}={path}" for name, path in client_files(evaluator).items()]
        assert evaluator[probe]["timeoutSeconds"] >= 10  # the probe starts Python
        assert "grpc" not in evaluator[probe]
    names = {
        volume["name"]: volume["secret"]
        for job in jobs(resources)
        for volume in job["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert {name: secret["secretName"] for name, secret in names.items()} == {
        "evaluator-tls": "lodescan-evaluator-tls",
        "proposer-tls": "lodescan-proposer-tls",
    }
    assert {secret["defaultMode"] for secret in names.values()} == {0o440}


def test_cert_manager_makes_the_secrets_that_the_pods_mount() -> None:
    resources = render("overlays/pool", "tls-cert-manager")
    made = {
        resource["spec"]["secretName"]: resource["spec"] for resource in resources if resource["kind"] == "Certificate"
    }
    assert {"evaluators", "localhost"} <= {*made["lodescan-evaluator-tls"]["dnsNames"]}
    assert {"server auth", "client auth"} <= {*made["lodescan-evaluator-tls"]["usages"]}
    assert "server auth" not in made["lodescan-proposer-tls"]["usages"]
    for job in jobs(resources):
        for volume in job["spec"]["template"]["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in made
                files = {item["key"]: item["path"] for item in volume["secret"]["items"]}
                assert files == {"ca.crt": "ca.pem", "tls.crt": "cert.pem", "tls.key": "key.pem"}


@everywhere
@pytest.mark.parametrize("more", [(), ("tls",)], ids="+".join)
def test_prometheus_reaches_both_sides_and_nothing_else(overlay: str, more: tuple[str, ...]) -> None:
    resources = render(overlay, "metrics", *more)
    ports = {}
    for side in ("proposer", "evaluator"):
        found = container(resources, side)
        port = int(option(found, "--metrics").removeprefix("0.0.0.0:"))
        [name] = [entry["name"] for entry in found["ports"] if entry["containerPort"] == port]
        ports[name] = port
    monitor = find(resources, "PodMonitor", "lodescan")["spec"]
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == list(ports)
    assert len({*ports.values()}) == 2  # both sides may be in one pod
    policy = find(resources, "NetworkPolicy", "lodescan-metrics")["spec"]
    assert [entry["port"] for entry in policy["ingress"][0]["ports"]] == list(ports.values())
    for job in jobs(resources):
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        assert monitor["selector"]["matchLabels"].items() <= labels.items()


def test_grafana_finds_the_dashboard() -> None:
    dashboard = find(render("base", "metrics"), "ConfigMap", "lodescan-dashboard")
    assert dashboard["metadata"]["labels"] == {"grafana_dashboard": "1"}
    panels = json.loads(dashboard["data"]["lodescan.json"])["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 8
    assert all(target["expr"] for panel in panels for target in panel["targets"])
