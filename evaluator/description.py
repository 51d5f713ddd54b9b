"""Makes the description of an evaluator: its parameters, observables, and all that decides its results."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluator.chain import Chain
from evaluator.codes.registry import sources_of
from evaluator.codes.sources import written_hash
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import VERSION, CodeSpec, Likelihood, ObservableSpec
from scanspec.canonical import canonical_address, canonical_entry, canonical_expression
from scanspec.origins import origins_of
from scanspec.reading_terms import named_files
from scanspec.tools import call_of

MAX_BATCH = 4096
"""The most points that one request may hold."""


def describe(chain: Chain, concurrency: int) -> pb.DescribeResponse:
    """Makes the answer to Describe. It hashes the codes' files, so call it once."""
    scan = chain.scan
    sources = {step.name: sources_of(step.code) for step in chain.steps}
    packages = {
        key: version for found in sources.values() for key, version in found.items() if key.startswith("package ")
    }
    versions = ", ".join(f"{key.removeprefix('package ')} {version}" for key, version in sorted(packages.items())[:20])
    physics = {
        "codes": sources,
        "variables": [variable.name for variable in scan.variables],
        "derived": {name: canonical_expression(text) for name, text in scan.derived.items()},
        "blocks": {
            name: {str(index): canonical_entry(value) for index, value in entries.items()}
            for name, entries in scan.blocks.items()
        },
        "conditions": [[canonical_expression(text) for text in code.conditions] for code in scan.codes],
        "observables": [_origin(spec) for spec in chain.specs if spec.term is None],
        "environment": _environment(chain),
    }
    if scan.fitting is not None and chain.fit_method is not None:
        physics["fitting"] = chain.fit_method.describe(scan.fitting)
    likelihood = [
        (spec.name, spec.valid, repr(spec.likelihood), *([] if spec.term is None else [repr(spec.term)]))
        for spec in chain.specs
    ]
    return pb.DescribeResponse(
        backend=" + ".join(step.name for step in chain.steps),
        version=f"lodescan {VERSION}" + (f"; {versions}" if versions else ""),
        physics_digest=_digest(physics),
        likelihood_digest=_digest(likelihood),
        parameters=[
            pb.Parameter(
                name=variable.name,
                unit=variable.unit,
                description=variable.description,
                low=variable.low,
                high=variable.high,
            )
            for variable in scan.variables
        ],
        observables=[_observable(spec) for spec in chain.specs],
        joint_terms=_joint_terms(chain.specs),
        concurrency=concurrency,
        max_batch=MAX_BATCH,
        codes=[step.name for step in chain.steps],
        calls=[_call(code) for code in scan.codes],
        sources=origins_of(scan)
        | {f"{code}: {key}": value for code, found in sources.items() for key, value in found.items()},
    )


def _origin(spec: ObservableSpec) -> tuple[str | None, ...]:
    """Where an observable comes from, in canonical forms."""
    address = None if spec.slha is None else canonical_address(spec.slha)
    return spec.name, spec.code, str(address), spec.function and canonical_expression(spec.function)


def digest_of(chain: Chain) -> str:
    """The digests that the machines of a cluster compare: of the codes, the likelihood, and the text of the
    scan file.
    """
    described, text = describe(chain, 1), hashlib.sha256(chain.scan.text.encode()).hexdigest()
    return f"{described.physics_digest} {described.likelihood_digest} {text}"


def _call(code: CodeSpec) -> pb.Call:
    way, called = call_of(code.section, code.name)
    return pb.Call(code=code.name, way=way, called=called)


def _environment(chain: Chain) -> dict[str, str]:
    section = chain.scan.setup.section("environment_variables")
    found = {name: section.text(name) for name in section}
    for name, value in list(found.items()):
        if os.path.isabs(value) and os.path.isfile(value):  # the path of a program or table for a code
            found[f"file {name}"] = written_hash(Path(value))
    return found


def watched(chain: Chain) -> list[Mapping[str, str]]:
    """The sources with the hashes of all files that decide the results."""
    tables = {name: written_hash(path) for name, path in named_files(chain.scan.terms).items()}
    return [*(sources_of(step.code) for step in chain.steps), _environment(chain), tables]


def _observable(spec: ObservableSpec) -> pb.Observable:
    return pb.Observable(
        name=spec.name,
        unit=spec.unit,
        description=spec.description,
        code=spec.code or "",
        valid=pb.Window(low=spec.valid[0], high=spec.valid[1]) if spec.valid is not None else None,
        likelihood=_likelihood(spec.likelihood),
    )


def _likelihood(likelihood: Likelihood) -> pb.Likelihood:
    return pb.Likelihood(
        kind=f"LIKELIHOOD_KIND_{likelihood.kind.value}",
        mean=likelihood.mean,
        sigma=likelihood.sigma,
        lower=likelihood.lower,
        upper=likelihood.upper,
        log_scaling=likelihood.log_scaling,
    )


def _joint_terms(specs: Sequence[ObservableSpec]) -> list[pb.JointTerm]:
    positions = {spec.name: position for position, spec in enumerate(specs)}
    return [
        pb.JointTerm(
            observable=position,
            arguments=[positions[name] for name in spec.term.observables],
            kind=f"JOINT_KIND_{spec.term.kind.value}",
            mean=spec.term.mean,
            cholesky=[number for row in spec.term.root for number in row],
            plus=spec.term.plus,
            minus=spec.term.minus,
            knots=[pb.Knots(at=knots) for knots in spec.term.knots],
            values=spec.term.values,
        )
        for position, spec in enumerate(specs)
        if spec.term is not None
    ]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
