"""The pages of the examples, their commands as they are, at a small size; test_ascend_page.py has the fourth."""

import json

import pytest

from tests.conftest import TINY, read_picture, small_cifar10
from tests.e2e.pages import EXAMPLES, run_page
from tests.fakes.inception import tiny_graph

SMALL = [*TINY[2:], "--steps", "2"]


def page(number):
    return EXAMPLES[number - 1]


def test_cifar10(clone):
    """With small files in CIFAR-10's layout, and a stand-in for Inception; a protocol needs 50,000 pictures."""
    cifar, graph = small_cifar10(clone.folder / "cifar"), clone.folder / "inception.pb"
    graph.write_bytes(tiny_graph().SerializeToString())

    def smaller(arguments):
        arguments = [argument.replace("cifar10:DIR", f"cifar10:{cifar}") for argument in arguments]
        more = {
            "train": [*SMALL, "--d-base-channels", "2"],
            "sample": [],
            "score": ["--num", "24"],
            "interpolate": ["--frames", "3"],
        }
        if "--protocol" in arguments:
            del arguments[arguments.index("--protocol") :]
        return arguments + more.get(arguments[0], [])

    done = run_page(page(2), clone, smaller, BIGGAN_INCEPTION=graph)
    assert done == ["data", "train", "train", "sample", "interpolate", "score"]
    (run,) = (clone.folder / "runs").glob("0*")
    assert run.name == "00000-cifar10-32-cifar10"
    assert json.loads((run / "config.json").read_text())["config"]["train"]["d_lr"] == 2e-4
    assert (run / "interpolate" / "horse-to-automobile.gif").is_file()
    (score,) = (run / "score" / "score.jsonl").read_text().splitlines()
    assert json.loads(score)["comparable"] is False


def test_own_pictures(clone):
    """With few pictures, a tiny network and two steps."""

    def smaller(arguments):
        wider = ["--base-channels", "8"] if "--res" in arguments else []  # 64 px take no less
        return arguments + ([*SMALL, *wider] if arguments[0] == "train" else [])

    text = page(3).read_text(encoding="utf-8")
    few = clone.folder.parent / "few.md"
    few.write_text(text.replace("pictures.py pictures 4500", "pictures.py pictures 120"), encoding="utf-8")
    assert run_page(few, clone, smaller) == ["data", "prepare", "train", "sample", "train", "sample"]
    pictures = list((clone.folder / "pictures").glob("*/*"))
    assert {path.suffix for path in pictures} == {".jpg", ".png", ".webp"} and len(pictures) == 120
    assert read_picture(clone.folder / "grid.png").shape[0] == 640
    (run,) = (clone.folder / "runs").glob("0*")
    assert json.loads((run / "config.json").read_text())["class_names"][:3] == ["eight", "five", "four"]
    assert len(list((run / "sample" / "00000").glob("0*.png"))) == 40
    assert (run / "sample" / "00001" / "neighbours.png").is_file()


@pytest.mark.slow
def test_from_the_reference_to_an_om(clone):
    """The small checkpoint of the reference takes the place of the user's, the emulator that of CANN."""
    cifar = small_cifar10(clone.folder / "cifar")

    def smaller(arguments):
        arguments = [argument.replace("cifar10:DIR", f"cifar10:{cifar}") for argument in arguments]
        more = {"to-bin": ["--num", "4"], "train": ["--steps", "5", "--batch", "4"]}
        return arguments + more.get(arguments[0], [])

    done = run_page(page(5), clone, smaller, BIGGAN_TOOLCHAIN="emulator")
    deployed = ["freeze", "to-bin", "atc", "msame-run", "verify"]
    imported = ["import-checkpoint", "import-checkpoint", "sample"]
    assert done == [*imported, *deployed, "train", "export-checkpoint"]
    (run,) = (clone.folder / "runs").glob("0*")
    frozen, offline = json.loads((run / "verify" / "00000" / "verify.json").read_text())["differences"]
    assert frozen["psnr_db"] > 100 and offline["psnr_db"] > 40
    assert (run / "export" / "00000" / "ema.ckpt.index").is_file()
