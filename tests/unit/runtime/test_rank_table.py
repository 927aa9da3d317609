"""Rank tables: both templates, waiting for ModelArts to complete one, and what is said of bad ones."""

import copy
import json

import pytest

from biggan_cli.core import modelarts
from biggan_cli.core.reporting import silent
from biggan_cli.errors import NotReady, UsageError
from biggan_cli.runtime import rank_table

MODELARTS = dict(
    status="completed",
    group_count="1",
    group_list=[
        dict(
            group_name="job-trainjob",
            device_count="3",
            instance_count="2",
            instance_list=[
                dict(
                    pod_name="jobxxx-0",
                    server_id="192.168.0.25",
                    devices=[
                        dict(device_id="4", device_ip="192.1.13.195"),
                        dict(device_id="5", device_ip="192.2.13.195"),
                    ],
                ),
                dict(
                    pod_name="jobxxx-1",
                    server_id="192.168.0.26",
                    devices=[dict(device_id=0, device_ip="192.1.13.196")],
                ),
            ],
        )
    ],
)


def one_device():
    table = copy.deepcopy(MODELARTS)
    instances = table["group_list"][0]["instance_list"]
    del instances[1:], instances[0]["devices"][1:]
    return table


def test_template_2_becomes_template_1():
    table = rank_table.template_1(MODELARTS, "t")
    assert table == dict(
        status="completed",
        version="1.0",
        server_count="2",
        server_list=[
            dict(
                server_id="192.168.0.25",
                device=[
                    dict(device_id="4", device_ip="192.1.13.195", rank_id="0"),
                    dict(device_id="5", device_ip="192.2.13.195", rank_id="1"),
                ],
            ),
            dict(server_id="192.168.0.26", device=[dict(device_id="0", device_ip="192.1.13.196", rank_id="2")]),
        ],
    )
    assert rank_table.device_count(table) == 3


def test_template_1_stays_and_pods_on_one_server_stand_together():
    table = rank_table.template_1(MODELARTS, "t")
    assert rank_table.template_1(table, "t") == table
    assert rank_table.is_template_1(table) and not rank_table.is_template_1(MODELARTS)
    together = copy.deepcopy(MODELARTS)
    together["group_list"][0]["instance_list"][1]["server_id"] = "192.168.0.25"
    (server,) = rank_table.template_1(together, "t")["server_list"]
    assert [device["rank_id"] for device in server["device"]] == ["0", "1", "2"]


def without(table, *path):
    table = copy.deepcopy(table)
    holder = table
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return table


INSTANCE = ("group_list", 0, "instance_list", 0)


@pytest.mark.parametrize(
    "table, words",
    (
        ({"status": "completed"}, "neither group_list nor server_list"),
        (dict(status="completed", group_list=[]), "it has no device"),
        (dict(status="completed", group_list="none"), "group_list of the table is no list"),
        (dict(status="completed", group_list=[3]), "instance_list of group_list[0] is missing"),
        (without(MODELARTS, *INSTANCE, "server_id"), "server_id of group_list[0].instance_list[0] is missing"),
        (without(MODELARTS, *INSTANCE, "devices"), "devices of group_list[0].instance_list[0] is missing"),
        (
            without(MODELARTS, *INSTANCE, "devices", 1, "device_ip"),
            "device_ip of group_list[0].instance_list[0].devices[1] is missing",
        ),
        (
            dict(status="completed", server_list=[dict(server_id="a", device=[dict(device_id="0", device_ip="b")])]),
            "rank_id of server_list[0].device[0] is missing",
        ),
        (
            dict(
                status="completed",
                server_list=[dict(server_id="a", device=[dict(device_id="0", device_ip="b", rank_id="1")])],
            ),
            "rank_id 1 is where 0 should be",
        ),
    ),
)
def test_a_malformed_table_says_where(table, words):
    with pytest.raises(UsageError) as raised:
        rank_table.template_1(table, "/user/config/t.json")
    assert "the rank table /user/config/t.json is malformed: " in raised.value.message
    assert words in raised.value.message


class Clock:
    """Time that passes only in its sleep, which also does what is planned for the n-th one."""

    def __init__(self, *plans):
        self.now, self.plans = 0.0, list(plans)

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        if self.plans:
            self.plans.pop(0)()


def test_waiting_until_it_is_completed(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(dict(status="initializing")))
    waits = []
    clock = Clock(
        lambda: None, lambda: path.write_text('{"status": "comp'), lambda: path.write_text(json.dumps(MODELARTS))
    )
    table = rank_table.wait_for(path, lambda: waits.append(1), clock=clock, sleep=clock.sleep)
    assert table == MODELARTS and clock.now == 3.0 and waits == [1]
    assert rank_table.wait_for(path, lambda: waits.append(2), clock=clock, sleep=clock.sleep) == MODELARTS
    assert waits == [1]


def test_waiting_ends(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(dict(status="initializing")))
    clock = Clock()
    with pytest.raises(NotReady, match=r"has the status initializing, not completed, after 600 s"):
        rank_table.wait_for(path, clock=clock, sleep=clock.sleep)
    assert clock.now == 600.0


@pytest.mark.parametrize(
    "content, words, seconds",
    (
        (b"group_list:", "it is not JSON", 2.0),
        (b"[]", "it is a list, not an object", 0.0),
        (b"{}", "status of the table is missing", 0.0),
        (b"\xff\xfe", "cannot be read", 0.0),
        (None, "cannot be read: no such file", 0.0),
    ),
)
def test_what_is_no_table_is_not_waited_for_long(tmp_path, content, words, seconds):
    path, clock = tmp_path / "t.json", Clock()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as raised:
        rank_table.wait_for(path, clock=clock, sleep=clock.sleep)
    assert str(path) in raised.value.message and clock.now == seconds


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The environment of a job on a chip, with nothing set."""
    for name in ("RANK_SIZE", "CM_WORKER_SIZE", "MA_NUM_HOSTS", "RANK_TABLE_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("BIGGAN_MODELARTS_CACHE", str(tmp_path / "cache"))
    return monkeypatch


def table_of(tmp_path, table):
    path = tmp_path / "jobstart_hccl.json"
    path.write_text(json.dumps(table))
    return path


def test_the_table_of_modelarts_is_exported_as_template_1(job, tmp_path):
    import os

    path = table_of(tmp_path, one_device())
    modelarts.require_one_device("npu", True, silent, path)
    assert "RANK_TABLE_FILE" not in os.environ and not (tmp_path / "cache").exists()
    modelarts.require_one_device("npu", False, silent, path)
    written = os.environ["RANK_TABLE_FILE"]
    assert str(tmp_path / "cache") in written
    with open(written) as handle:
        assert json.load(handle) == rank_table.template_1(one_device(), "t")
    modelarts.require_one_device("npu", False, silent, path)
    assert os.environ["RANK_TABLE_FILE"] == written


@pytest.mark.parametrize(
    "environment, words",
    (
        (dict(RANK_SIZE="8"), "RANK_SIZE=8, and there is no rank table: biggan trains on one device per run for now"),
        (dict(RANK_SIZE="many"), "RANK_SIZE=many is not a number"),
        (dict(CM_WORKER_SIZE="2"), "CM_WORKER_SIZE=2"),
        (dict(RANK_TABLE_FILE="nowhere.json"), "nowhere.json cannot be read"),
        (dict(RANK_TABLE_FILE="nowhere.json", RANK_SIZE="2"), "RANK_SIZE=2: biggan trains on one device"),
    ),
)
def test_several_devices_are_refused(job, tmp_path, environment, words):
    for name, value in environment.items():
        job.setenv(name, value)
    with pytest.raises(UsageError, match=words):
        modelarts.require_one_device("npu", False, silent, tmp_path / "none.json")


def test_one_device_without_a_table_is_fine_and_other_devices_are_not_asked(job, tmp_path):
    job.setenv("RANK_SIZE", "1")
    modelarts.require_one_device("npu", False, silent, tmp_path / "none.json")
    job.setenv("RANK_SIZE", "8")
    for name in ("MA_JOB_DIR", "MODELARTS_MODEL_PATH"):
        job.delenv(name, raising=False)
    modelarts.require_one_device("cpu", False, silent, tmp_path / "none.json")
    job.setenv("MODELARTS_MODEL_PATH", "x")
    with pytest.raises(UsageError):
        modelarts.require_one_device("cpu", False, silent, tmp_path / "none.json")


def test_a_table_of_several_devices_is_refused(job, tmp_path):
    with pytest.raises(UsageError, match=r"has 3 devices: biggan trains on one device per run for now"):
        modelarts.require_one_device("npu", False, silent, table_of(tmp_path, MODELARTS))
