"""TensorFlow behind one door."""

import importlib.util

import pytest

from biggan_cli.errors import NotReady
from biggan_cli.runtime import tf


def test_without_tensorflow_the_fix_is_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotReady, match="TensorFlow is not installed") as raised:
        tf._tensorflow.__wrapped__()  # the others keep theirs
    assert dict(raised.value.details)["fix"].startswith("pip install tensorflow")
