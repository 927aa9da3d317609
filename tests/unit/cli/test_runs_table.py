"""The table of ``biggan runs`` at the widths that terminals have."""

import pytest

from biggan_cli.cli.runs import _table
from biggan_cli.core.runs import runs
from tests.runs import make_run

LONG = "00001-my-own-pictures-of-birds-128-reference"


@pytest.fixture
def found(tmp_path):
    make_run(tmp_path, state="finished")
    make_run(tmp_path, LONG, "stopped")
    (tmp_path / "00002-broken").mkdir()
    return runs(tmp_path).runs


def test_the_preset_has_a_column(found):
    table = _table(found, 120)
    assert table[0].split() == ["no", "run", "preset", "state", "step", "FID", "IS", "age"]
    assert table[1].split()[:4] == ["0", "digits-32-digits", "digits", "finished"]
    place = table[0].index("preset")
    broken = next(line for line in table if " broken " in line)
    assert broken[place : table[0].index("state")].strip() == "" and "damaged" in broken


def test_it_goes_before_a_name_is_cut(found):
    whole = len(max(_table(found, 120)[:3], key=len))
    assert "preset" in _table(found, whole)[0]
    narrow = _table(found, whole - 1)
    assert "preset" not in narrow[0] and LONG[6:] in narrow[2]
    narrower = _table(found, 60)
    assert "preset" not in narrower[0] and LONG[6:] not in narrower[2] and "…" in narrower[2]
    assert max(map(len, narrower)) <= 60
