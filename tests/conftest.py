"""Fixtures that more than one room needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_models import tiny as tiny

# Before torch is imported: tiny tensors gain nothing by threads that wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests ask anew, and leave the user's own answers alone.
os.environ["AFTERS_CACHE"] = "off"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The development data: AFTERS_DATA, or shared/data beside the checkout; skips where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("AFTERS_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the development data is not at {folder}; set AFTERS_DATA")
    return folder
