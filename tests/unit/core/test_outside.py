"""Results that go to a place of the user's."""

import errno
from pathlib import Path

import pytest

from biggan_cli.core.outside import made_whole
from biggan_cli.errors import StepFailed


def test_a_place_whose_permissions_say_more_than_is_true():
    """To root everything in /proc looks as if it could be written."""
    if not Path("/proc").is_dir():
        pytest.skip("this system has no /proc")
    with pytest.raises(StepFailed, match=r"^/proc cannot be written: "), made_whole(Path("/proc/x.npz")) as place:
        place.write_bytes(b"x")
    with pytest.raises(StepFailed, match=r"^/proc cannot be written: "), made_whole(Path("/proc/x"), folder=True):
        pass


@pytest.mark.parametrize("folder", (False, True))
@pytest.mark.parametrize("number", (errno.ENOENT, errno.EACCES))
def test_what_is_read_meanwhile_is_no_fault_of_the_place(tmp_path, folder, number):
    with pytest.raises(OSError) as raised, made_whole(tmp_path / "x", folder):
        raise OSError(number, "words", "/elsewhere/file")
    assert raised.value.filename == "/elsewhere/file" and list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full(tmp_path):
    with pytest.raises(StepFailed, match="cannot be written: no space left"), made_whole(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
