"""What is said before a training."""

import pytest

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core import prepare as preparing
from biggan_cli.core.plan import announce
from biggan_cli.core.reporting import silent
from biggan_cli.data import datasets
from biggan_cli.presets import DATA_NAMES, PRESETS
from biggan_cli.settings import NpuConfig, PrepareConfig
from tests.data_sets import class_folders
from tests.unit.core.test_preparing import Told, see_through


def plan(preset, spec, told):
    """The rows of the plan."""
    dataset = datasets.load(str(spec), 32)
    config = configs.resolve(preset, dict(data=datasets.absolute(str(spec)), resolution=32))
    model = configs.replace(config.model, num_classes=len(dataset.class_names))
    record = RunRecord(configs.replace(config, model=model), dataset.class_names, dataset.digest, "0")
    announce(record, NpuConfig(), dataset, "a run", told)
    return dict(told.events[-1][1]["rows"])


@pytest.fixture
def pets(tmp_path):
    class_folders(tmp_path / "pets", (("1", 3), ("my cat", 2)), side=32)
    return tmp_path / "pets"


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_gave_with_other_data_is_not_told(pets, preset):
    rows = plan(preset, pets, Told())
    text = " ".join(rows.values())
    assert PRESETS[preset].reaches not in text and PRESETS[preset].cost not in text
    assert "known to cost" not in rows and rows["known to give"].endswith(DATA_NAMES[PRESETS[preset].data])


def test_what_a_preset_gave_is_told_to_who_trains_on_the_same(tmp_path):
    """Also where the data were prepared; what is known of others says whose it is."""
    preparing.prepare(PrepareConfig("digits", str(tmp_path / "out"), 32, workers=1), False, silent)
    for spec in ("digits", tmp_path / "out"):
        rows = plan("digits", spec, Told())
        assert PRESETS["digits"].reaches in rows["known to give"] and rows["known to cost"] == PRESETS["digits"].cost
    for preset in PRESETS.values():
        name = DATA_NAMES[preset.data]
        assert preset.reaches.startswith((name, name.replace("built-in ", "")))


def test_what_was_met_in_the_data_is_told_before_the_plan(pets):
    see_through(pets / "1" / "clear.png")
    (pets / "my cat" / "b.heic").write_bytes(b"x")
    told = Told()
    plan("seed", pets, told)
    left_out, transparent = told.text("warning")
    assert "(.heic): the first is my cat/b.heic" in left_out
    assert transparent == "1 picture has transparent parts, drawn over white: the first is 1/clear.png"
    assert told.events[0][1]["rows"] == [("'1'", "4"), ("'my cat'", "2")]
