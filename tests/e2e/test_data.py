"""Looking at data: every kind that training takes, as it will be trained on."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy import io

from biggan_cli.data import datasets
from tests.conftest import read_picture, small_cifar10
from tests.data_sets import class_folders, pictures
from tests.e2e.test_bad_input import files, refused


def test_class_folders(biggan, tmp_path):
    made = class_folders(tmp_path / "pets", (("cat", 12), ("ёж", 3), ("the class of a very long name " * 5 + "x", 4)))
    done = biggan("data", "pets", "--out", "grid.png", cwd=tmp_path, check=0)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["class", "to", "train", "held", "out", "first"]
    assert lines[1] == ["cat", "12", "0", "cat/000.png"]
    shown = {line[0]: line[1:] for line in lines[4:]}
    assert shown["size"] == ["20x20", "px", "to", "74x74", "px"] and shown["num"] == ["19"]
    assert shown["digest"] == [datasets.load(str(tmp_path / "pets"), 32).digest]
    grid = read_picture(tmp_path / "grid.png")
    assert grid.shape[0] == 3 * 64 and grid.shape[1] < 1000
    wanted = np.asarray(Image.fromarray(made["cat/003.png"]).resize((64, 64), Image.BICUBIC))
    left = grid.shape[1] - 10 * 64
    np.testing.assert_array_equal(grid[:64, left + 3 * 64 : left + 4 * 64], wanted)


def test_what_a_user_should_know_of_a_folder(biggan, tmp_path):
    """Where a name ends, what is left out, and what was transparent: in words; for programs, names as they are."""
    class_folders(tmp_path / "pets", (("cats, large", 3), ("007", 2), ("my cat", 2)))
    (tmp_path / "pets" / "007" / "x.tif").write_bytes(b"x")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(str(tmp_path / "pets" / "my cat" / "clear.png"))
    done = biggan("data", "pets", "--out", "grid.png", cwd=tmp_path, check=0)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:4]] == ["'007'", "'cats, large'", "'my cat'"]
    assert "warning: 1 file of a kind that is not read is left out (.tif): the first is 007/x.tif" in done.stderr
    assert "warning: 1 picture has transparent parts, drawn over white: the first is my cat/clear.png" in done.stderr
    grid = read_picture(tmp_path / "grid.png")
    left = grid.shape[1] - 3 * 64
    assert (grid[2 * 64 :, left + 2 * 64 :] == 255).all()
    done = biggan("data", "pets", "--json", "--out", "grid.png", cwd=tmp_path, check=0)
    assert [entry["name"] for entry in json.loads(done.stdout)["classes"]] == ["007", "cats, large", "my cat"]


@pytest.mark.parametrize("kind", ("digits", "cifar10", "npz", "mat", "prepared"))
def test_other_kinds(biggan, tmp_path, kind):
    spec = tmp_path / "data"
    if kind == "digits":
        spec = kind
    elif kind == "cifar10":
        small_cifar10(spec)
    elif kind == "npz":
        np.savez_compressed(str(tmp_path / "data"), images=pictures(20, 24), labels=np.arange(20) % 4)
        spec = tmp_path / "data.npz"
    elif kind == "mat":
        io.savemat(str(tmp_path / "data.mat"), dict(data=pictures(20, 24), labels=np.arange(20)[None] % 4))
        spec = tmp_path / "data.mat"
    else:
        class_folders(tmp_path / "pets")
        biggan("prepare", tmp_path / "pets", "--res", 32, "--out", spec, "--workers", 1, check=0)
    done = biggan("data", spec, "--json", "--out", tmp_path / "grid.png", check=0)
    result, found = json.loads(done.stdout), datasets.load(str(spec), None)
    assert result["data"] == datasets.absolute(str(spec)) and result["name"] == found.name
    assert result["digest"] == found.digest and result["num"] == len(found.labels)
    assert result["held_out"] == len(found.held_out_labels)
    assert [entry["train"] for entry in result["classes"]] == list(found.class_counts)
    assert result["size"] == "{0}x{0} px".format(found.images.shape[1])
    grid, side = read_picture(tmp_path / "grid.png"), found.images.shape[1]
    factor = 64 // side
    first = int(np.flatnonzero(found.labels == 1)[0])
    left = grid.shape[1] - side * factor * min(10, max(found.class_counts))
    cell = grid[side * factor : 2 * side * factor : factor, left : left + side * factor : factor]
    np.testing.assert_array_equal(cell, found.images[first])


def test_the_grid_s_own_place(biggan, tmp_path):
    """Named in the result; what is there already stays, and the same grid is not drawn twice."""
    class_folders(tmp_path / "pets")
    (tmp_path / "pets-grid.png").write_bytes(b"mine")
    for _ in range(2):
        done = biggan("data", "pets", cwd=tmp_path, check=0)
        assert done.stdout.splitlines()[-1].split() == ["grid", "pets-grid-2.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets", "pets-grid-2.png", "pets-grid.png"]
    assert (tmp_path / "pets-grid.png").read_bytes() == b"mine"
    assert read_picture(tmp_path / "pets-grid-2.png").shape[0] == 3 * 64


def test_bad_data(biggan, tmp_path):
    class_folders(tmp_path / "one", (("cat", 3),))
    refused(biggan("data", "one", cwd=tmp_path, check=2), "error: folder:one has pictures of one class only, cat")
    before = files(tmp_path)
    refused(biggan("data", "digits", "--out", "grid.txt", cwd=tmp_path, check=2), "--out grid.txt", "grid.png")
    refused(biggan("data", "digits", "--out", "no/grid.png", cwd=tmp_path, check=2), "nothing can be written to")
    assert files(tmp_path) == before
