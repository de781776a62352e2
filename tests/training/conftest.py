"""Small networks are fastest on one thread, and two threads fight over a busy core."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)
