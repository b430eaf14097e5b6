import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"

# Making a small cluster takes many draws, which is slow in hypothesis' eyes.
TOLERATED = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "ci", max_examples=100, derandomize=True, deadline=None, suppress_health_check=TOLERATED, database=None
)
settings.register_profile("deep", max_examples=5_000, deadline=None, suppress_health_check=TOLERATED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the files of tests/golden")


@pytest.fixture
def update_golden(request):
    return request.config.getoption("--update-golden")


@pytest.fixture(scope="session")
def corpus():
    if not CORPUS.is_dir():
        pytest.skip("the test corpora are not beside this repository")
    return CORPUS
