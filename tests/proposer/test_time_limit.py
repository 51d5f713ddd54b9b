"""Every training ends when the time of the scan is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from proposer.strategies.lode.nets import Nets
from proposer.strategies.lode.process import Processes
from proposer.strategies.mls_dnnc_settings import FitSettings
from proposer.strategies.networks import Classifier
from proposer.time_limit import OutOfTime, check_time, within

U = np.random.default_rng(1).random((200, 3))


def classify() -> None:
    settings = FitSettings(neurons=500, epochs=10**6, batch_size=1, learning_rate=1e-4)
    Classifier(3, settings).fit(U, U[:, 0] > 0.5, 1.0, np.random.default_rng(1))


def regress() -> None:
    while True:
        Processes(3, 2).learn(U, U[:, :2], np.random.default_rng(1))


def learn_nll() -> None:
    while True:
        Nets(3).learn(U, U[:, 0], torch.Generator().manual_seed(1))


@pytest.mark.parametrize("train", [classify, regress, learn_nll])
def test_a_training_ends_at_the_time_limit(train: Callable[[], None]) -> None:
    start = time.monotonic()
    with within(start + 0.3, threading.Event()), pytest.raises(OutOfTime):
        train()
    assert time.monotonic() - start < 4
    check_time()  # the limit is no longer set
