"""``biggan report`` of a run that went the whole way, looked at in a real browser."""

import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from biggan_cli.files import sha256
from tests.conftest import read_picture
from tests.e2e import scoring
from tests.e2e.browser import ARROW_LEFT, CHROMIUM, DRIVER, END, HOME, MISSING, Browser

PHONE = (390, 844)
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
SCORE = ["score", "--num", 40, "--splits", 2]

# The contrast of every text with what is behind it, by WCAG 2: the least, with the text it is of.
CONTRAST = """
const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = node => {
  for (; node; node = node.parentElement) {
    const color = numbers(getComputedStyle(node).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
let least = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
  if (!text || node.closest("script") || !node.getClientRects().length) continue;
  const style = getComputedStyle(node);
  const color = node.closest("svg") ? style.fill : style.color;
  const [a, b] = [luminance(numbers(color)), luminance(behind(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < least[0]) least = [ratio, text];
}
return least;
"""
SHOWN = """
const frames = [...document.querySelectorAll(".frame")].filter(frame => frame.getClientRects().length);
return frames.map(frame => [frame.dataset.step, frame.querySelector("img").src.length]);
"""


@pytest.fixture(scope="module")
def reported(deployed, tmp_path_factory):
    """The deployed run with a second grid, samples, a morph, a comparison and scores of two steps; and its report."""
    folder = tmp_path_factory.mktemp("reported") / "work"
    shutil.copytree(str(deployed / "runs"), str(folder / "runs"))
    (run,) = (folder / "runs").glob("0*")
    Image.fromarray(255 - read_picture(run / "samples" / "step_000004.png")).save(
        str(run / "samples" / "step_000002.png")
    )
    done = scoring.Bench(folder).together(
        ["sample", "--num", 20],
        ["interpolate", "--from", "three", "--to", "eight", "--seeds", "0-3", "--frames", 3],
        ["verify"],
        [*SCORE, "--checkpoint", 2],
        SCORE,
        ["report", "--json"],
    )
    result = json.loads(done[-1].stdout)
    assert done[-1].stderr == "" and result["missing"] == [] and result["grids"] == result["grids_of"] == 2
    return run


@pytest.fixture(scope="module")
def page(reported):
    return reported / "report" / "report.html"


@pytest.fixture(scope="module")
def browser():
    if not (CHROMIUM and DRIVER):
        pytest.skip(MISSING)
    with Browser() as started:
        yield started


@pytest.fixture
def opened(browser, page):
    """The report on a desktop's screen; what went wrong while a test looked at it fails the test."""
    browser.media(prefers_color_scheme="light")
    browser.size(1280, 900)
    browser.open(page)
    yield browser
    assert browser.log() == []


def test_the_report_is_a_result_like_any_other(reported, page):
    manifest = json.loads((page.parent / "report.manifest.json").read_text())
    assert manifest["command"] == "report" and list(manifest["outputs"]) == ["report.html"]
    assert manifest["outputs"]["report.html"] == dict(bytes=page.stat().st_size, sha256=sha256(page))
    for name in ("config.json", "stats.jsonl", "score/score.jsonl", "samples/step_000004.png"):
        assert manifest["inputs"][name] == sha256(reported / name)


def test_the_file_needs_no_other(page):
    """No address in it leads anywhere but to itself."""
    addresses, tags = [], set()

    class Addresses(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.add(tag)
            addresses.extend(value for name, value in attrs if name in ("src", "href", "srcset", "data", "action"))

    text = page.read_text(encoding="utf-8")
    Addresses().feed(text)
    assert {"img", "svg", "script", "style", "input"} <= tags and not tags & {"iframe", "object", "embed", "base"}
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in text and "@import" not in text and "://" not in re.sub(r'(src)="data:[^"]*"', "", text)


def test_it_says_what_is_in_the_run(reported, page):
    text = html.unescape(re.sub(r"<[^>]+>", "\n", page.read_text(encoding="utf-8")))
    scores = [json.loads(line) for line in (reported / "score" / "score.jsonl").read_text().splitlines()]
    compared = json.loads((reported / "verify" / "00000" / "verify.json").read_text())["differences"]
    for words in (
        *(score["sentence"] for score in scores),
        *(f"{entry['max_abs']:.2g}" for entry in compared),
        "emulated ascend310_b1_force_fp16",
        "three to eight: 4 frames",
        "5,658",
        "Finished: step 4 of 4",
        "biggan interpolate --from three --to eight --grid 2x2 --seeds 0-3 --frames 3",
        "biggan atc --toolchain emulator",
        "biggan score --is --fid --checkpoint 2 --splits 2 --num 40",
    ):
        assert words in text, words


def test_it_loads_without_a_word_and_without_a_request(opened):
    assert opened.run("return document.readyState") == "complete"
    assert opened.run("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))") == []
    assert opened.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)") is True
    assert opened.run("return document.documentElement.lang") == "en"
    assert opened.run("return [...document.images].every(image => image.alt.length > 10)") is True


def test_the_screen_is_not_blank(opened):
    seen = np.asarray(opened.picture())
    assert seen.shape == (900, 1280, 3) and len(np.unique(seen.reshape(-1, 3), axis=0)) > 100
    box = opened.run("const b = document.images[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]")
    x, y, width, height = map(int, box)
    hero = seen[y : y + height, x : x + width]
    assert width > 300 and hero.std() > 20


def test_the_slider_moves_through_the_history(opened):
    ((last, size),) = opened.run(SHOWN)
    assert last == "4" and opened.run("return document.getElementById('now').textContent") == "4"
    opened.type("#step", HOME)
    ((first, other),) = opened.run(SHOWN)
    assert first == "2" and other != size and opened.run("return document.getElementById('now').textContent") == "2"
    before = opened.run("document.querySelector('.frame.shown').scrollIntoView(); return 0") or opened.picture()
    opened.type("#step", END)
    assert opened.run(SHOWN) == [["4", size]]
    assert (np.asarray(opened.picture()) != np.asarray(before)).mean() > 0.1
    opened.type("#step", ARROW_LEFT)
    assert opened.run(SHOWN) == [["2", other]]


def test_the_slider_takes_a_finger(opened):
    opened.size(*PHONE, mobile=True)
    opened.devtools("Emulation.setTouchEmulationEnabled", enabled=True)
    box = "document.getElementById('step').scrollIntoView({block: 'center', behavior: 'instant'});"
    x, y, _, height = opened.run(
        box + "const b = document.getElementById('step').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )
    assert height >= 44
    for kind, points in (("touchStart", [dict(x=x + 8, y=y + height / 2)]), ("touchEnd", [])):
        opened.devtools("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    opened.devtools("Emulation.setTouchEmulationEnabled", enabled=False)
    ((step, _),) = opened.run(SHOWN)
    assert step == "2"


def test_without_scripts_the_last_grid_stands_there(opened, page):
    opened.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened.open(page)
        seen = np.asarray(opened.picture(whole=True))
    finally:
        opened.devtools("Emulation.setScriptExecutionDisabled", value=False)
    ((step, _),) = opened.run(SHOWN)
    assert step == "4" and opened.run("return document.getElementById('step').getClientRects().length") == 0
    assert seen.shape[0] > 2000


def test_a_chart_tells_the_values_under_the_pointer(opened, reported):
    record = json.loads((reported / "stats.jsonl").read_text().splitlines()[0])
    box = "document.querySelector('#curves .chart').scrollIntoView({block: 'center', behavior: 'instant'});"
    x, y, width = opened.run(
        box
        + "const b = document.querySelector('#curves .chart').getBoundingClientRect(); return [b.x, b.y + 60, b.width]"
    )
    opened.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=x + width * 0.15, y=y)
    tip = opened.run(
        "return [...document.querySelectorAll('.tip')].filter(tip => !tip.hidden).map(tip => tip.textContent)"
    )
    assert tip == [
        f"step 2\ndiscriminator  {record['d_loss']:.4g}\ngenerator  {record['g_loss']:.4g}".replace("-", "−")
    ]
    over = """
const tip = document.querySelector(".tip:not([hidden])").getBoundingClientRect();
const chart = document.querySelector("#curves .chart").getBoundingClientRect();
return tip.top >= chart.top && tip.bottom <= chart.bottom && tip.left >= chart.left && tip.right <= chart.right;
"""
    assert opened.run(over) is True
    opened.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    assert opened.run("return [...document.querySelectorAll('.tip')].every(tip => tip.hidden)") is True


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(opened, width):
    opened.size(width, 844, mobile=True)
    opened.run("document.querySelectorAll('details').forEach(part => { part.open = true; }); return 0")
    assert opened.run("return document.scrollingElement.scrollWidth <= innerWidth && innerWidth") == width
    assert opened.run("return parseFloat(getComputedStyle(document.body).fontSize)") >= 16


TILES = """
const tops = [...document.querySelectorAll(".keys div")].map(tile => Math.round(tile.getBoundingClientRect().top));
return Object.values(tops.reduce((rows, top) => ({...rows, [top]: (rows[top] || 0) + 1}), {}));
"""


@pytest.mark.parametrize("width, rows", [(375, [2, 2, 2]), (768, [3, 3]), (1280, [3, 3])])
def test_no_number_stands_alone_in_a_row(opened, width, rows):
    opened.size(width, 844)
    assert opened.run(TILES) == rows


def test_dark_is_dark_and_both_can_be_read(opened):
    light = np.asarray(opened.picture()).astype(int)
    contrast, text = opened.run(CONTRAST)
    assert contrast >= 4.5, text
    opened.media(prefers_color_scheme="dark")
    dark = np.asarray(opened.picture()).astype(int)
    contrast, text = opened.run(CONTRAST)
    assert contrast >= 4.5, text
    assert light[5, 5].min() > 240 and dark[5, 5].max() < 50 and light.mean() - dark.mean() > 50


def test_paper_has_all_but_the_controls(opened):
    opened.media("print")
    hidden = (
        "return [...document.querySelectorAll('.control, nav, .moving')].every(part => !part.getClientRects().length)"
    )
    assert opened.run(hidden) is True
    assert [step for step, _ in opened.run(SHOWN)] == ["2", "4"]
    assert opened.run("return document.querySelector('.still').getClientRects().length") == 1
    data = opened.pdf()
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type */Page\b", data)) >= 3


def test_words_of_a_run_stay_words(browser, reported, tmp_path, biggan):
    """Class names, log, scores and names of results that try to be markup are shown as they are, and do nothing."""
    run = tmp_path / "runs" / "00000-hostile"
    shutil.copytree(str(reported), str(run))
    config = json.loads((run / "config.json").read_text())
    config["class_names"][0] = HOSTILE
    (run / "config.json").write_text(json.dumps(config))
    with open(str(run / "log.txt"), "a") as log:
        log.write(
            f"2026-11-28 12:00:00 warning: {HOSTILE}\n2026-11-28 12:00:00 training\n"
            f"2026-11-28 12:00:00   preset  {HOSTILE}\n"
        )
    lines = (run / "score" / "score.jsonl").read_text().splitlines()
    score = dict(json.loads(lines[-1]), sentence=HOSTILE, label=HOSTILE, protocol=HOSTILE)
    (run / "score" / "score.jsonl").write_text("\n".join([*lines, json.dumps(score)]))
    biggan("report", run, "--out", tmp_path / "hostile.html", check=0)
    browser.open(tmp_path / "hostile.html")
    assert browser.log() == [] and browser.run("return window.hacked === undefined") is True
    shown = browser.run("return document.body.innerText")
    assert shown.count(HOSTILE) >= 4
    assert browser.run("return document.querySelectorAll('script').length") == 1


def test_the_page_reads_without_tensorflow(reported):
    """It is a file to be looked at, not a computation: nothing heavy is loaded for it."""
    code = (
        "import sys, atexit\n"
        f"sys.argv = ['biggan', 'report', {str(reported)!r}, '--out', {str(reported.parent / 'light.html')!r}]\n"
        "atexit.register(lambda: print('HEAVY', 'tensorflow' in sys.modules))\n"
        "from biggan_cli.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0 and "HEAVY False" in done.stdout.decode(), done.stderr.decode()
