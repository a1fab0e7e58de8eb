"""What all tests share: no downloads, one thread, repeatable examples, and a random source."""

import os

os.environ.setdefault("DDPM_LESSONS_DATA", "none")  # before the package is imported: nothing is fetched

import hypothesis
import pytest
import torch

from ddpm_lessons import schedules

torch.set_num_threads(1)  # nets this small lose time by sharing the work
hypothesis.settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("quick")


@pytest.fixture
def rng():
    """A random source, the same in each test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=schedules.ALL)
def schedule(request):
    """Each schedule in turn, of 100 steps."""
    return schedules.ALL[request.param](100)
