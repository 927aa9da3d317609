"""The README says what is true: its reference is current, its commands run, its two languages agree."""

import re

import pytest
import typer.main

from biggan_cli.cli.app import app
from biggan_cli.cli.reference import PRESETS_END, PRESETS_START, with_reference
from biggan_cli.presets import PRESETS
from tests.conftest import TINY, small_cifar10
from tests.e2e.pages import READMES, ROOT, anchors, blocks, links, prose, run_page
from tests.fakes.inception import tiny_graph

README = READMES[0]
PAGES = [*READMES, *sorted((ROOT / "examples").glob("*/README*.md"))]
RUN = "runs/00000-digits-32-digits"


def test_the_command_reference_is_current():
    text = README.read_text(encoding="utf-8")
    assert with_reference(text) == text, "make docs writes it anew"


def test_every_command_of_the_readme_runs(clone):
    """In order, in one folder, with a tiny network and few steps."""
    cifar, graph = small_cifar10(clone.folder / "cifar"), clone.folder / "inception.pb"
    graph.write_bytes(tiny_graph().SerializeToString())
    trained = []

    def smaller(arguments):
        arguments = [{"PICTURES": f"{RUN}/sample/00000"}.get(argument, argument) for argument in arguments]
        if arguments[0] == "compare":
            arguments[2] = f"{RUN}/stats.jsonl"  # for there is one run
        if arguments[0] == "interpolate":
            arguments += ["--frames", "3", "--grid", "2x1"]
        if arguments[0] == "sample" and {"--neighbours", "--out"}.intersection(arguments):
            arguments += ["--num", "10"]
        if arguments[0] == "train":
            arguments += ["--steps", "6"] if trained else [*TINY, "--steps", "2"]
            trained.append(arguments)
        if arguments[0] == "sample" and "--score" in arguments:
            arguments += ["--score-num", "24"]
        if arguments[0] == "score" and not {f"{RUN}/sample/00000", "--source"}.intersection(arguments):
            arguments += ["--num", "24"]
        if arguments[0] == "bench":
            arguments += ["--batch", "2", "--rounds", "1", "--steps", "1"]
            arguments += (
                ["--base-channels", "2", "--d-steps", "1", "--resample", "fused"] if "--run" not in arguments else []
            )
        if "--kid" in arguments:
            arguments += ["--kid-subset-size", "10"]
        return arguments

    variables = dict(BIGGAN_TOOLCHAIN="emulator", BIGGAN_INCEPTION=graph, BIGGAN_DATA=f"cifar10:{cifar}")
    started = ["train", "sample", "interpolate", "train", "freeze", "atc", "score", "report"]
    looked_at = ["runs", "watch", "compare"]
    drawn = ["interpolate"] * 4 + ["sample"] * 4
    deployed = ["freeze", "to-bin", "atc", "msame-run", "verify"]
    scored = ["score", "score", "score", "stats"]
    measured = ["bench", "bench"]
    assert run_page(README, clone, smaller, **variables) == [
        *started,
        *looked_at,
        *drawn,
        *deployed,
        *scored,
        *measured,
    ]
    assert (clone.folder / RUN / "interpolate" / "three-to-eight.gif").is_file()
    assert len((clone.folder / RUN / "score" / "score.jsonl").read_text().splitlines()) == 5 + 3


def test_the_table_of_commands_has_them_all():
    known = set(typer.main.get_command(app).commands)
    for page in READMES:
        named = re.findall(r"^\| `biggan ([\w-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) == known


def test_both_languages_have_the_same_commands_sections_and_numbers():
    """Comments in blocks differ, and the generated parts are in the English one."""
    lines = [[_without_comment(line) for block in blocks(page) for line in block.splitlines()] for page in READMES]
    assert lines[0] == lines[1]
    words = [_without_generated(prose(page)) for page in READMES]
    assert len(set(_shape(text) for text in words)) == 1
    numbers = [
        [sorted(re.findall(r"\d[\d.,]*\d", row)) for row in text.splitlines() if row.startswith("|")] for text in words
    ]
    assert numbers[0] == numbers[1]
    for preset in PRESETS:
        assert f"| `{preset}` |" in READMES[1].read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target, place, anchor in links(page):
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


def _without_comment(line):
    return re.split(r"\s{2,}", line.strip())[0]


def _without_generated(text):
    """Without the presets, whose table is made in English, and the reference."""
    text = re.sub(f"{PRESETS_START}.*{PRESETS_END}", "", text, flags=re.DOTALL)
    text = re.sub(r"^\|[^\n]*\n\|---\|---\|---\|\n\| `seed`.*?\n\n", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^## Command reference.*", "", text, flags=re.DOTALL | re.MULTILINE)


def _shape(text):
    """Headings, rows and points, in order."""
    return tuple(re.findall(r"^(?:#+ |\||- |<!--)", text, re.MULTILINE))


def test_the_targets_of_the_makefile_are_listed():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("setup", "demo", "test", "check", "docs", "clean"):
        assert f"make {target} " in makefile.split("help:")[1].split("setup:")[0]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
