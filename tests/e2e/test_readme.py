"""The README says what is true: its reference is current and its commands run."""

import re
import shutil
from pathlib import Path

import biggan_cli
from biggan_cli.cli.reference import with_reference
from tests.conftest import TINY, run_biggan, small_cifar10
from tests.e2e.pages import commands
from tests.e2e.test_import_checkpoint import REF32
from tests.fakes.inception import tiny_graph

ROOT = Path(biggan_cli.__file__).parent.parent
README = ROOT / "README.md"


def test_the_command_reference_is_current():
    text = README.read_text(encoding="utf-8")
    assert with_reference(text) == text, "make docs writes it anew"


def test_every_command_of_the_readme_runs(tmp_path):
    """In order, in one directory, with a tiny network and few steps."""
    place = tmp_path / "output" / "model" / "32"
    place.mkdir(parents=True)
    for path in REF32.glob("model.ckpt.*"):
        shutil.copy(str(path), str(place))
    cifar = small_cifar10(tmp_path / "cifar")
    graph = tmp_path / "inception.pb"
    graph.write_bytes(tiny_graph().SerializeToString())
    environment = {
        "BIGGAN_TOOLCHAIN": "emulator",
        "BIGGAN_INCEPTION": str(graph),
        "BIGGAN_DATA": f"cifar10:{cifar}",
        "BIGGAN_CACHE": str(tmp_path / "cache"),
    }
    placeholders = {"cifar10:DIR": f"cifar10:{cifar}", "PICTURES": "runs/00000-digits-32-digits/sample/00000"}
    trained = False
    done = []
    for arguments in commands(README):
        if arguments[0] == "train":
            arguments += ["--steps", "6"] if trained else [*TINY, "--steps", "2"]
            trained = True
        if arguments[0] == "score" and not {"PICTURES", "--source"}.intersection(arguments):
            arguments += ["--num", "24"]
        if arguments[0] == "bench":
            arguments += ["--batch", "2", "--rounds", "1", "--steps", "1"]
            arguments += (
                ["--base-channels", "2", "--d-steps", "1", "--resample", "fused"] if "--run" not in arguments else []
            )
        if "--kid" in arguments:
            arguments += ["--kid-subset-size", "10"]
        arguments = [placeholders.get(argument, argument) for argument in arguments]
        run_biggan(*arguments, cwd=tmp_path, env=environment, check=0)
        done.append(arguments[0])
    started = ["train", "sample", "interpolate", "train", "freeze", "atc", "score"]
    deployed = ["freeze", "to-bin", "atc", "msame-run", "verify"]
    scored = ["score", "score", "score", "stats"]
    measured = ["bench", "bench"]
    assert done == [
        *started,
        "import-checkpoint",
        "sample",
        "train",
        "export-checkpoint",
        *deployed,
        *scored,
        *measured,
    ]
    assert list(tmp_path.glob("runs/00000-*/interpolate/three-to-eight.gif"))
    (kept,) = tmp_path.glob("runs/00001-*/score/score.jsonl")
    assert len(kept.read_text().splitlines()) == 4


def test_the_targets_of_the_makefile_are_listed():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("setup", "demo", "test", "check", "docs", "clean"):
        assert f"make {target} " in makefile.split("help:")[1].split("setup:")[0]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
