"""A physics code that is a UM-Bridge model at an HTTP address: `umbridge: {address, model, outputs, ...}`.

The protocol, JSON over HTTP, is that of https://um-bridge-benchmarks.readthedocs.io (version 1.0):
GET /Info, POST /ModelInfo, /InputSizes, /OutputSizes, /Evaluate.
"""

from __future__ import annotations

import json
import math
import select
import socket
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evaluator.clock import Countdown
from evaluator.codes.deadline import run_by
from evaluator.codes.protocol import Code
from evaluator.errors import CodeFailed, CodeKilled, CodeTimedOut, ConfigurationError
from evaluator.expressions import Expression
from scanspec import CodeSpec, ScanFile
from scanspec import keys as known_keys
from scanspec.canonical import canonical_expression
from scanspec.document import closest, plain_name

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from evaluator.codes.point import Point

START_TIMEOUT = 30.0
"""Seconds for each request at the start, and for a server to come back."""

LARGEST_ANSWER = 64 << 20  # bytes


class UmBridgeModel(Code):
    """A model of a UM-Bridge server, whose inputs and outputs have names in the scan file.

    `inputs` are expressions in the order of the model's inputs (the elements of all its vectors in turn); the default
    is the variables in the order of the file. `outputs` are the names of the model's outputs in the same order.
    `config` is sent to the server unchanged.
    """

    key = "umbridge"
    settings = tuple(known_keys.UMBRIDGE.known)
    changes_process = False

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        section = self.own
        self._address = section.text("address").rstrip("/")
        if not _is_web_address(self._address):
            raise section.wrong("address", "a web address, for example http://127.0.0.1:4242")
        self._model = section.text("model")
        texts = section.texts("inputs") or [variable.name for variable in scan.variables]
        where = f"{section.file}, line {section.line('inputs')}"
        self._inputs = [Expression(text, known, where, len(scan.variables)) for text in texts]
        self._outputs = [plain_name(output) for output in section.texts("outputs")]
        section.require("outputs", "; name the model's outputs in order")
        if len(set(self._outputs)) != len(self._outputs):
            raise section.wrong("outputs", "a list of different names")
        for observable in spec.observables:
            if observable.slha is None and observable.function is None and observable.name not in self._outputs:
                raise observable.section.error(
                    f"the observable {observable.name!r} is none of the outputs"
                    f"{closest(observable.name, self._outputs)}",
                    observable.name,
                )
        try:
            self._config = json.loads(json.dumps(section.raw("config") or {}, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            raise section.wrong("config", "a mapping of numbers, texts and lists, which JSON can hold") from None
        self._input_sizes: list[int] = []
        self._output_sizes: list[int] = []

    def load(self) -> None:
        """Asks the server for its models and their sizes. Raises ConfigurationError if these do not agree with the scan
        file.
        """
        try:
            info = self._ask("/Info", None, START_TIMEOUT)
            models = info.get("models")
            if not isinstance(models, list):
                raise CodeFailed(f"/Info was answered without a list of models: {models!r:.200}")
            models = [str(model) for model in models]
            if self._model not in models:
                raise self.own.error(
                    f"{self._address} has no model {self._model!r}{closest(self._model, models)}", "model"
                )
            support = self._ask("/ModelInfo", {"name": self._model}, START_TIMEOUT).get("support")
            if not isinstance(support, dict) or not support.get("Evaluate"):
                raise self.own.error(f"the model {self._model!r} cannot be evaluated (support: Evaluate)", "model")
            question = {"name": self._model, "config": self._config}
            self._input_sizes = _sizes(self._ask("/InputSizes", question, START_TIMEOUT).get("inputSizes"))
            self._output_sizes = _sizes(self._ask("/OutputSizes", question, START_TIMEOUT).get("outputSizes"))
        except (CodeFailed, CodeKilled, CodeTimedOut) as error:
            raise ConfigurationError(str(self.own.error(f"{self._address}: {error}", "address"))) from error
        for key, ours, sizes in (
            ("inputs", len(self._inputs), self._input_sizes),
            ("outputs", len(self._outputs), self._output_sizes),
        ):
            if ours != sum(sizes):
                raise self.own.error(
                    f"the model {self._model!r} has {sum(sizes)} {key} (sizes {sizes}), the scan file {ours}", key
                )

    def run(self, point: Point) -> Mapping[str, float]:
        if not self._input_sizes:
            self.load()
        timeout = self.next_timeout()
        return run_by(timeout, self._address, lambda asked: self._evaluate(asked, timeout), point)

    def sources(self) -> Mapping[str, str]:
        inputs = [canonical_expression(expression.text) for expression in self._inputs]
        described = json.dumps([self._model, inputs, self._outputs, self._config], sort_keys=True)
        return {"umbridge": described}  # without the address, because the server may move; its version is unknown

    def _evaluate(self, point: Point, timeout: float) -> dict[str, float]:
        values = [float(expression(point.names, point.variables)) for expression in self._inputs]
        for expression, value in zip(self._inputs, values, strict=True):
            if not math.isfinite(value):
                raise CodeFailed(f"the input {expression.text} is {value}, which JSON cannot hold")
        rest = iter(values)
        vectors = [[next(rest) for _ in range(size)] for size in self._input_sizes]
        question = {"name": self._model, "input": vectors, "config": self._config}
        output = self._ask("/Evaluate", question, timeout).get("output")
        if not isinstance(output, list) or not all(isinstance(numbers, list) for numbers in output):
            raise CodeFailed(f"the model answered without an output: {output!r:.200}")
        if [len(numbers) for numbers in output] != self._output_sizes:
            sizes = [len(numbers) for numbers in output]
            raise CodeFailed(f"the model gave outputs of sizes {sizes}, but announced {self._output_sizes}")
        return dict(zip(self._outputs, (number for vector in output for number in vector), strict=True))

    def _ask(self, path: str, question: Mapping[str, Any] | None, timeout: float) -> dict[str, Any]:
        """Sends one request, and returns the object in the answer.

        Raises CodeKilled if no server answers, CodeTimedOut after `timeout` seconds, and CodeFailed for any other
        answer.
        """
        from http.client import HTTPException  # imported here, because it takes longer than all other kinds together

        connection = self._connect(timeout)
        try:
            body = None if question is None else json.dumps(question)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", urlsplit(self._address).path + path, body, headers)
            _wait_for_answer(connection.sock, timeout)
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER + 1)
        except TimeoutError:
            raise CodeTimedOut(f"{self._address}{path} did not answer within {timeout:g} s") from None
        except (OSError, HTTPException) as error:
            raise CodeFailed(f"the server broke off at {path} ({type(error).__name__}: {error})") from error
        finally:
            connection.close()
        if len(content) > LARGEST_ANSWER:
            raise CodeFailed(f"the answer to {path} is larger than {LARGEST_ANSWER >> 20} MiB")
        return _answer(path, response.status, content.decode("utf-8", errors="replace"))

    def _connect(self, timeout: float) -> HTTPConnection:
        """A connection to the server. Waits for a server that does not answer, because it may be starting again."""
        from http.client import HTTPConnection, HTTPSConnection

        parts = urlsplit(self._address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        patience = Countdown(min(timeout, START_TIMEOUT) if self._input_sizes else 0.0)  # not at the start
        while True:
            connection = kind(str(parts.hostname), parts.port, timeout=timeout)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                if patience.left() <= 0.0:
                    raise CodeKilled(f"no UM-Bridge server answers at {self._address} ({error})") from error
                time.sleep(0.2)
            else:
                return connection


def _is_web_address(text: str) -> bool:
    """Whether a text is the HTTP address of a server, with a possible host name and port."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and bool(host.encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _wait_for_answer(connection: socket.socket, timeout: float) -> None:
    """Waits for the first byte of the answer. Raises TimeoutError. Time during which the evaluator was suspended does
    not count.
    """
    patience = Countdown(timeout)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while (left := patience.left()) > 0.0:
        if poll.poll(min(left, 3600.0) * 1000):
            return
    if not poll.poll(0):
        raise TimeoutError


def _answer(path: str, status: int, text: str) -> dict[str, Any]:
    """The object in a server's answer. Raises CodeFailed with the server's error message."""
    try:
        answer = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        answered = " ".join(text.split())[:300]
        answered_with = f"HTTP {status}" if status != 200 else f"no valid JSON ({error})"
        raise CodeFailed(f"{path} was answered with {answered_with}: {answered}") from None
    if not isinstance(answer, dict):
        raise CodeFailed(f"{path} was answered with {answer!r:.200}, not an object")
    if "error" in answer or status != 200:
        fault = answer.get("error", answer)
        words = f"{fault.get('type', '')}: {fault.get('message', '')}" if isinstance(fault, dict) else str(fault)
        raise CodeFailed(f"{path} was answered with an error (HTTP {status}): {words:.300}")
    return answer


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _sizes(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(isinstance(size, int) and size >= 0 for size in value):
        raise CodeFailed(f"the sizes are {value!r:.200}, not a list of whole numbers")
    return value
