"""The page about one's own pictures: its commands, as they are, at a small size."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from tests.conftest import TINY, read_picture, run_biggan
from tests.e2e.pages import blocks
from tests.e2e.test_readme import ROOT

PAGE = ROOT / "examples" / "03_own_pictures" / "README.md"


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    """In order, in one directory, with few pictures, a tiny network and two steps."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = []
    for line in "".join(blocks(PAGE, "sh")).splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program == "python":
            arguments[-1] = "120"
            path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            environment = dict(os.environ, PYTHONPATH=path)
            subprocess.run([sys.executable, *arguments], cwd=str(tmp_path), env=environment, check=True)
        else:
            more = [*TINY[2:], "--steps", "2"] if arguments[0] == "train" else []
            run_biggan(*arguments, *more, cwd=tmp_path, check=0)
        done.append(arguments[0])
    assert done[1:] == ["data", "prepare", "train", "sample"]
    endings = {path.suffix for path in (tmp_path / "pictures").glob("*/*")}
    assert endings == {".jpg", ".png", ".webp"} and len(list((tmp_path / "pictures").glob("*/*"))) == 120
    assert read_picture(tmp_path / "grid.png").shape[0] == 640
    (run,) = (tmp_path / "runs").glob("0*")
    assert json.loads((run / "config.json").read_text())["class_names"][:3] == ["eight", "five", "four"]
    assert len(list((run / "sample" / "00000").glob("0*.png"))) == 40
