"""What memory something took."""

import sys

import numpy as np
import pytest

from biggan_cli.runtime.machine import MemoryMeter

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@linux
def test_the_most_counts_also_when_it_is_free_again():
    meter = MemoryMeter("cpu")
    before = meter.process_bytes()
    np.ones(64 << 20, np.uint8)
    assert meter.process_bytes() - before > 60 << 20
    assert meter.gpu_bytes() is None


@linux
def test_what_was_free_again_before_it_does_not_count():
    np.ones(256 << 20, np.uint8)
    meter = MemoryMeter("cpu")
    before = meter.process_bytes()
    np.ones(64 << 20, np.uint8)
    assert 60 << 20 < meter.process_bytes() - before < 128 << 20
