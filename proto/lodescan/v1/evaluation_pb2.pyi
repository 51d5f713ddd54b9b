from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JointKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOINT_KIND_UNSPECIFIED: _ClassVar[JointKind]
    JOINT_KIND_JOINT_GAUSS: _ClassVar[JointKind]
    JOINT_KIND_HALF_GAUSS: _ClassVar[JointKind]
    JOINT_KIND_BARLOW: _ClassVar[JointKind]
    JOINT_KIND_GAUSS_UPPER: _ClassVar[JointKind]
    JOINT_KIND_GAUSS_LOWER: _ClassVar[JointKind]
    JOINT_KIND_LIMIT: _ClassVar[JointKind]
    JOINT_KIND_LIMIT_UPPER: _ClassVar[JointKind]
    JOINT_KIND_LIMIT_LOWER: _ClassVar[JointKind]
    JOINT_KIND_TABLE: _ClassVar[JointKind]

class LikelihoodKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIKELIHOOD_KIND_UNSPECIFIED: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_OFF: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_GAUSS: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_UPPER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_LOWER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_LOG: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_BIAS: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_USER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_SIGUSER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_EXPUSER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_MINUSEXPUSER: _ClassVar[LikelihoodKind]
    LIKELIHOOD_KIND_CFUNCTION: _ClassVar[LikelihoodKind]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_OK: _ClassVar[Status]
    STATUS_INVALID: _ClassVar[Status]
    STATUS_FAILED: _ClassVar[Status]
    STATUS_TIMED_OUT: _ClassVar[Status]
    STATUS_KILLED: _ClassVar[Status]
    STATUS_CANCELLED: _ClassVar[Status]
JOINT_KIND_UNSPECIFIED: JointKind
JOINT_KIND_JOINT_GAUSS: JointKind
JOINT_KIND_HALF_GAUSS: JointKind
JOINT_KIND_BARLOW: JointKind
JOINT_KIND_GAUSS_UPPER: JointKind
JOINT_KIND_GAUSS_LOWER: JointKind
JOINT_KIND_LIMIT: JointKind
JOINT_KIND_LIMIT_UPPER: JointKind
JOINT_KIND_LIMIT_LOWER: JointKind
JOINT_KIND_TABLE: JointKind
LIKELIHOOD_KIND_UNSPECIFIED: LikelihoodKind
LIKELIHOOD_KIND_OFF: LikelihoodKind
LIKELIHOOD_KIND_GAUSS: LikelihoodKind
LIKELIHOOD_KIND_UPPER: LikelihoodKind
LIKELIHOOD_KIND_LOWER: LikelihoodKind
LIKELIHOOD_KIND_LOG: LikelihoodKind
LIKELIHOOD_KIND_BIAS: LikelihoodKind
LIKELIHOOD_KIND_USER: LikelihoodKind
LIKELIHOOD_KIND_SIGUSER: LikelihoodKind
LIKELIHOOD_KIND_EXPUSER: LikelihoodKind
LIKELIHOOD_KIND_MINUSEXPUSER: LikelihoodKind
LIKELIHOOD_KIND_CFUNCTION: LikelihoodKind
STATUS_UNSPECIFIED: Status
STATUS_OK: Status
STATUS_INVALID: Status
STATUS_FAILED: Status
STATUS_TIMED_OUT: Status
STATUS_KILLED: Status
STATUS_CANCELLED: Status

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("backend", "version", "physics_digest", "likelihood_digest", "parameters", "observables", "concurrency", "max_batch", "codes", "sources", "calls", "longest_seconds", "instance", "joint_terms")
    class SourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PHYSICS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIKELIHOOD_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    OBSERVABLES_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    JOINT_TERMS_FIELD_NUMBER: _ClassVar[int]
    backend: str
    version: str
    physics_digest: str
    likelihood_digest: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    observables: _containers.RepeatedCompositeFieldContainer[Observable]
    concurrency: int
    max_batch: int
    codes: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.ScalarMap[str, str]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    longest_seconds: float
    instance: str
    joint_terms: _containers.RepeatedCompositeFieldContainer[JointTerm]
    def __init__(self, backend: _Optional[str] = ..., version: _Optional[str] = ..., physics_digest: _Optional[str] = ..., likelihood_digest: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., observables: _Optional[_Iterable[_Union[Observable, _Mapping]]] = ..., concurrency: _Optional[int] = ..., max_batch: _Optional[int] = ..., codes: _Optional[_Iterable[str]] = ..., sources: _Optional[_Mapping[str, str]] = ..., calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., longest_seconds: _Optional[float] = ..., instance: _Optional[str] = ..., joint_terms: _Optional[_Iterable[_Union[JointTerm, _Mapping]]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("code", "way", "called")
    CODE_FIELD_NUMBER: _ClassVar[int]
    WAY_FIELD_NUMBER: _ClassVar[int]
    CALLED_FIELD_NUMBER: _ClassVar[int]
    code: str
    way: str
    called: str
    def __init__(self, code: _Optional[str] = ..., way: _Optional[str] = ..., called: _Optional[str] = ...) -> None: ...

class Parameter(_message.Message):
    __slots__ = ("name", "unit", "description", "low", "high")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    description: str
    low: float
    high: float
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ..., description: _Optional[str] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Observable(_message.Message):
    __slots__ = ("name", "unit", "description", "code", "valid", "likelihood")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    LIKELIHOOD_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    description: str
    code: str
    valid: Window
    likelihood: Likelihood
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ..., description: _Optional[str] = ..., code: _Optional[str] = ..., valid: _Optional[_Union[Window, _Mapping]] = ..., likelihood: _Optional[_Union[Likelihood, _Mapping]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Likelihood(_message.Message):
    __slots__ = ("kind", "mean", "sigma", "lower", "upper", "log_scaling")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    LOG_SCALING_FIELD_NUMBER: _ClassVar[int]
    kind: LikelihoodKind
    mean: float
    sigma: float
    lower: float
    upper: float
    log_scaling: bool
    def __init__(self, kind: _Optional[_Union[LikelihoodKind, str]] = ..., mean: _Optional[float] = ..., sigma: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ..., log_scaling: _Optional[bool] = ...) -> None: ...

class JointTerm(_message.Message):
    __slots__ = ("observable", "arguments", "kind", "mean", "cholesky", "plus", "minus", "knots", "values")
    OBSERVABLE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    CHOLESKY_FIELD_NUMBER: _ClassVar[int]
    PLUS_FIELD_NUMBER: _ClassVar[int]
    MINUS_FIELD_NUMBER: _ClassVar[int]
    KNOTS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    observable: int
    arguments: _containers.RepeatedScalarFieldContainer[int]
    kind: JointKind
    mean: _containers.RepeatedScalarFieldContainer[float]
    cholesky: _containers.RepeatedScalarFieldContainer[float]
    plus: float
    minus: float
    knots: _containers.RepeatedCompositeFieldContainer[Knots]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, observable: _Optional[int] = ..., arguments: _Optional[_Iterable[int]] = ..., kind: _Optional[_Union[JointKind, str]] = ..., mean: _Optional[_Iterable[float]] = ..., cholesky: _Optional[_Iterable[float]] = ..., plus: _Optional[float] = ..., minus: _Optional[float] = ..., knots: _Optional[_Iterable[_Union[Knots, _Mapping]]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class Knots(_message.Message):
    __slots__ = ("at",)
    AT_FIELD_NUMBER: _ClassVar[int]
    at: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, at: _Optional[_Iterable[float]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("parameters", "point_ids", "values", "spectra_below_nll", "return_waiting", "cancel_point_ids", "run", "batches", "trace")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    POINT_IDS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    SPECTRA_BELOW_NLL_FIELD_NUMBER: _ClassVar[int]
    RETURN_WAITING_FIELD_NUMBER: _ClassVar[int]
    CANCEL_POINT_IDS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.RepeatedScalarFieldContainer[str]
    point_ids: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    spectra_below_nll: float
    return_waiting: bool
    cancel_point_ids: _containers.RepeatedScalarFieldContainer[int]
    run: str
    batches: _containers.RepeatedScalarFieldContainer[int]
    trace: int
    def __init__(self, parameters: _Optional[_Iterable[str]] = ..., point_ids: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., spectra_below_nll: _Optional[float] = ..., return_waiting: _Optional[bool] = ..., cancel_point_ids: _Optional[_Iterable[int]] = ..., run: _Optional[str] = ..., batches: _Optional[_Iterable[int]] = ..., trace: _Optional[int] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("physics_digest", "likelihood_digest", "results", "concurrency")
    PHYSICS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIKELIHOOD_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    physics_digest: str
    likelihood_digest: str
    results: _containers.RepeatedCompositeFieldContainer[Result]
    concurrency: int
    def __init__(self, physics_digest: _Optional[str] = ..., likelihood_digest: _Optional[str] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., concurrency: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("point_id", "status", "observables", "missing", "losses", "nll", "seconds", "failed_code", "message", "warnings", "spectra", "begun_at", "ended_at")
    POINT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OBSERVABLES_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    NLL_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    FAILED_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SPECTRA_FIELD_NUMBER: _ClassVar[int]
    BEGUN_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    point_id: int
    status: Status
    observables: _containers.RepeatedScalarFieldContainer[float]
    missing: _containers.RepeatedScalarFieldContainer[int]
    losses: _containers.RepeatedScalarFieldContainer[float]
    nll: float
    seconds: _containers.RepeatedScalarFieldContainer[float]
    failed_code: str
    message: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    spectra: _containers.RepeatedScalarFieldContainer[bytes]
    begun_at: float
    ended_at: float
    def __init__(self, point_id: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., observables: _Optional[_Iterable[float]] = ..., missing: _Optional[_Iterable[int]] = ..., losses: _Optional[_Iterable[float]] = ..., nll: _Optional[float] = ..., seconds: _Optional[_Iterable[float]] = ..., failed_code: _Optional[str] = ..., message: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., spectra: _Optional[_Iterable[bytes]] = ..., begun_at: _Optional[float] = ..., ended_at: _Optional[float] = ...) -> None: ...

class FinishRequest(_message.Message):
    __slots__ = ("physics_digest", "likelihood_digest")
    PHYSICS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIKELIHOOD_DIGEST_FIELD_NUMBER: _ClassVar[int]
    physics_digest: str
    likelihood_digest: str
    def __init__(self, physics_digest: _Optional[str] = ..., likelihood_digest: _Optional[str] = ...) -> None: ...

class FinishResponse(_message.Message):
    __slots__ = ("ends",)
    ENDS_FIELD_NUMBER: _ClassVar[int]
    ends: bool
    def __init__(self, ends: _Optional[bool] = ...) -> None: ...
