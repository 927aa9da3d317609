"""The page for the Ascend 910 and the Ascend310: its commands run, its two languages agree, what it names is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer.main

from biggan_cli.cli.app import app
from tests.conftest import TINY, run_biggan, small_cifar10
from tests.e2e.deployment import LATENTS, MODEL, digests, emulated
from tests.e2e.pages import ROOT, blocks, commands, prose
from tests.e2e.test_npu import FAKE, has_adapter

FOLDER = ROOT / "examples" / "04_ascend"
ENGLISH, CHINESE = PAGES = FOLDER / "README.md", FOLDER / "README.zh-CN.md"
SIZES = TINY[2:]


@pytest.fixture
def with_adapter(monkeypatch):
    """Variables for a process that finds the stand-in for npu_bridge, and nothing of another job."""
    for name in [name for name in os.environ if name.startswith(("ASCEND_", "DEVICE_ID", "RANK_", "FAKE_NPU_"))]:
        monkeypatch.delenv(name)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(FAKE), str(ROOT), os.environ.get("PYTHONPATH")]))}


@has_adapter
@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path, with_adapter):
    """In order, in one directory, with a tiny network and few steps."""
    cifar = small_cifar10(tmp_path / "cifar")
    environment = dict(with_adapter, BIGGAN_TOOLCHAIN="emulator")
    done = []
    for arguments in commands(ENGLISH):
        if arguments[0] == "train":
            arguments += [*SIZES, "--steps", "4" if "--resume" in arguments else "2"]
            if "--steps-per-loop" in arguments:
                arguments += ["--steps-per-loop", "2"]
        arguments = [argument.replace("cifar10:DIR", f"cifar10:{cifar}") for argument in arguments]
        run_biggan(*arguments, cwd=tmp_path, env=environment, check=0)
        done.append(arguments[0])
    assert done == ["train", "train", "train", "freeze", "to-bin", "atc", "msame-run", "verify"]
    digits, run = sorted((tmp_path / "runs").glob("0*"))
    assert (digits.name, run.name) == ("00000-digits-32-digits", "00001-cifar10-32-seed")
    for folder in (digits, run):
        assert "compiled on the Ascend AI processor" in (folder / "npu.log").read_text()
    assert list((run / "msame").glob("ascend310_b1_force_fp16_00000/000063_output_0.bin"))
    assert list((run / "verify").glob("00000/side_by_side.png")) and list(run.glob("events.*"))


def test_a_run_is_converted_and_run_on_other_machines(run, tmp_path):
    """The lines of the page between A, B and C, which are folders here: the run, trained further, is as it was."""
    (block,) = (text for text in blocks(ENGLISH, "bash") if "rsync" in text)
    name = f"runs/{run.name}"
    for made in ("atc", "msame"):
        shutil.rmtree(str(run / made))
    before = digests(run)
    for line in block.splitlines():
        command, _, machine = line.replace("runs/00001-cifar10-32-seed", name).partition("  # on ")
        program, *arguments = shlex.split(command)
        if program == "biggan":
            emulated(*arguments, cwd=tmp_path / machine)
        else:
            assert (program, machine) == ("rsync", "A")
            left = [word for flag, word in zip(arguments, arguments[1:]) if flag == "--exclude"]
            source, target = (tmp_path / word.replace(":", "/") for word in arguments[-2:])
            shutil.copytree(str(source), str(target / source.name), ignore=shutil.ignore_patterns(*left))
    assert (tmp_path / "B" / name / "atc" / f"{MODEL}.om").is_file()
    assert len(list((run / "msame").glob("*/*_output_0.bin"))) == LATENTS
    emulated("verify", cwd=tmp_path)
    after = digests(run)
    assert {path: after[path] for path in before} == before


@has_adapter
def test_the_boot_file_trains_on_the_npu(tmp_path, with_adapter):
    """Beside the package, as in a job's code directory, with the arguments of the platform."""
    shutil.copy(str(FOLDER / "boot.py"), str(tmp_path))
    (tmp_path / "biggan_cli").symlink_to(ROOT / "biggan_cli")
    cifar = small_cifar10(tmp_path / "data_url_0")
    given = [
        "--res=32",
        "--steps=100",
        f"--data_url={cifar}",
        "--train_url",
        "train_url_0",
        "--num_gpus=1",
        "--dry-run",
        "--no-measure",
    ]
    done = subprocess.run(
        [sys.executable, "boot.py", *given],
        cwd=str(tmp_path),
        env=dict(os.environ, **with_adapter),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "a new run in train_url_0" in words and "device npu 0, " in words and "ignored: --num_gpus=1" in words


def test_both_languages_have_the_same_commands_and_sections():
    english, chinese = (page.read_text(encoding="utf-8") for page in PAGES)
    assert blocks(ENGLISH) == blocks(CHINESE)
    shape = [
        [re.match(r"#+|\|", line).group() for line in prose(page).splitlines() if line[:1] in ("#", "|")]
        for page in PAGES
    ]
    assert shape[0] == shape[1]
    for text, other in ((english, CHINESE), (chinese, ENGLISH)):
        assert f"]({other.name})" in "\n".join(text.splitlines()[:4])
    spans = [sorted(set(re.findall(r"`(biggan [^`]*|--[^`]*|BIGGAN_\w+)`", prose(page)))) for page in PAGES]
    assert spans[0] == spans[1]


def test_every_option_that_is_named_is_one():
    known = typer.main.get_command(app).commands
    written = re.findall("`(biggan [a-z][^`]*)`", prose(ENGLISH))
    used = [*commands(ENGLISH, "sh", "bash"), *(shlex.split(words.replace("\n", " "))[1:] for words in written)]
    assert len(used) > 20
    for name, *arguments in used:
        if name in known:  # else words such as `biggan trains on one device …`, an error
            options = {option for parameter in known[name].params for option in parameter.opts}
            assert {word.partition("=")[0] for word in arguments if word.startswith("--")} <= options, (name, arguments)


def test_the_requirements_are_those_of_the_package_without_tensorflow():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'^    "([^"]+)",$', text.split("\ndependencies = [")[1].split("\n]")[0], re.MULTILINE)
    wanted = [entry.partition(";")[0] for entry in listed if ">= '3.9'" not in entry]
    tensorflow, _, version = wanted.pop(0).partition("==")
    assert tensorflow == "tensorflow" and f"tensorflow-{version}-cp37" in ENGLISH.read_text(encoding="utf-8")
    assert (FOLDER / "pip-requirements.txt").read_text().splitlines() == wanted
