"""The only place that imports TensorFlow: 1.15 and 2.x through the same graph-and-session interface."""

import contextlib
import functools
import importlib.util
import os
import shutil
import sys
import tempfile
from typing import Iterator, Mapping

from biggan_cli.errors import NotReady


@contextlib.contextmanager
def _start_up_notes_held_back() -> Iterator[None]:
    """TensorFlow's libraries write notes about missing GPUs straight to descriptor 2; show them only on failure."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except Exception:
            notes.seek(0)
            with os.fdopen(os.dup(kept), "wb") as stderr:
                shutil.copyfileobj(notes, stderr)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@functools.lru_cache(maxsize=None)
def _tensorflow():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if importlib.util.find_spec("tensorflow") is None:
        raise NotReady("TensorFlow is not installed", fix="pip install tensorflow, or make setup in a clone of biggan")
    with _start_up_notes_held_back():
        import tensorflow.compat.v1 as module
    module.logging.set_verbosity(module.logging.ERROR)
    module.disable_v2_behavior()
    return module


class _LoadedWhenUsed:
    """Stands for ``tensorflow.compat.v1``: a mistyped flag should not cost the seconds that loading it takes."""

    def __getattr__(self, name: str):
        value = getattr(_tensorflow(), name)
        setattr(self, name, value)
        return value


tf = _LoadedWhenUsed()


def load() -> None:
    """Load TensorFlow now, before the caller holds anything large.

    What runs while it is loaded is never freed by 1.15: all that the calling functions hold then, and later.
    """
    _tensorflow()


def start_values(session, variables: Mapping, values: Mapping) -> None:
    """Start all variables, ``variables[name]`` at ``values[name]``, the others at their own, in one ``session.run``."""
    operations = {name: variable.initializer for name, variable in variables.items()}
    session.run(list(operations.values()), {operations[name].inputs[1]: value for name, value in values.items()})


def assign_values(session, variables: Mapping, values: Mapping) -> None:
    """Set ``variables[name]`` to ``values[name]`` for every name in ``values``, in one ``session.run``."""
    chosen = [(variables[name].initializer, value) for name, value in values.items()]
    session.run([initializer for initializer, _ in chosen], {op.inputs[1]: value for op, value in chosen})
