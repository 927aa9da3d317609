"""An .npz file in batches, as NumPy reads it, also where the place cannot be gone back in."""

import io

import numpy as np
import pytest

from biggan_cli.data.npz_stream import write_npz


class Pipe(io.RawIOBase):
    """What can only be written to, and ends when ``room`` bytes are in it."""

    def __init__(self, room=10**9):
        self.content, self._room = bytearray(), room

    def writable(self):
        return True

    def write(self, data):
        if len(self.content) + len(data) > self._room:
            raise BrokenPipeError(32, "Broken pipe")
        self.content += data
        return len(data)


def written(file):
    images = np.random.RandomState(0).randint(0, 256, (10, 4, 4, 3)).astype(np.uint8)
    others = dict(labels=np.arange(10, dtype=np.int32), z=np.linspace(0, 1, 20).reshape(10, 2))
    write_npz(file, "images", images.shape, (images[start : start + 3] for start in range(0, 10, 3)), others)
    return dict(others, images=images)


def test_numpy_reads_what_went_through_a_pipe():
    pipe = Pipe()
    wanted = written(pipe)
    with np.load(io.BytesIO(bytes(pipe.content)), allow_pickle=False) as found:
        assert set(found.files) == set(wanted)
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def test_the_same_arrays_give_the_same_bytes():
    one, other = Pipe(), Pipe()
    written(one), written(other)
    assert one.content == other.content


@pytest.mark.parametrize("room", (10, 300, 700))
def test_nobody_listens_any_more(room):
    with pytest.raises(BrokenPipeError):
        written(Pipe(room))
