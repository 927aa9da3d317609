"""Versions of what is installed, from package metadata: nothing is imported for them."""

import contextlib
import platform
import sys
from typing import Dict, Optional

_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "nvidia-tensorflow")


def tensorflow_version() -> Optional[str]:
    """Of whichever package brings it; None where there is none."""
    return next((version for version in map(version_of, _TENSORFLOW) if version), None)


def packages() -> Dict[str, str]:
    """Name → version of what the numbers of a result can depend on."""
    found = dict(tensorflow=tensorflow_version(), numpy=version_of("numpy"), pillow=version_of("pillow"))
    return {name: version for name, version in found.items() if version}


def lane() -> str:
    """Which TensorFlow on which Python."""
    return f"TensorFlow {tensorflow_version()}, Python {platform.python_version()}"


def version_of(package: str) -> Optional[str]:
    """Of an installed package; None where it is not."""
    if sys.version_info >= (3, 8):
        from importlib import metadata
    else:
        import importlib_metadata as metadata
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None
