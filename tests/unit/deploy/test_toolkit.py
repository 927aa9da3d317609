"""Where the programs of CANN are found, in toolkits made of small files, and with which environment they run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from biggan_cli.deploy import toolkit
from biggan_cli.deploy.soc import SOC_VERSIONS
from biggan_cli.deploy.toolkit import Toolkit, chosen, find_atc, find_msprof, find_runner, find_toolkit
from biggan_cli.errors import NotReady, UsageError

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without CANN: the folder of its user."""
    for name in [name for name in os.environ if name.startswith(("ASCEND_", "BIGGAN_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", SYSTEM_PATH)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(toolkit, "_INSTALL_RECORD", tmp_path / "ascend_cann_install.info")
    monkeypatch.setattr(toolkit, "_BASES", (str(tmp_path / "usr/local/Ascend"), "~/Ascend"))
    monkeypatch.setattr(toolkit, "_DEVICE", tmp_path / "davinci_manager")
    return home


def program(path, says="here"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def install(root, atc="bin/atc", set_env=True):
    """A toolkit in ``root``; its script says where it is."""
    program(root / atc)
    if set_env:
        written(root / "set_env.sh", f'export ASCEND_OPP_PATH="{root}/opp" SOURCED="{root}" PATH="{root}/bin:$PATH"\n')
    return root


def python_with_ais_bench(path):
    """A Python that has ais_bench: this one, told of a folder that has such a module."""
    written(path.parent / "modules/ais_bench.py", "")
    program(path).write_text(f'#!/bin/sh\nPYTHONPATH="{path.parent}/modules" exec "{sys.executable}" "$@"\n')
    return path


def python_without(path):
    program(path).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    return path


def found_in(given=None):
    """The program that is found, without an emulator."""
    tool = find_atc(None, given)
    assert not tool.emulated
    (path,) = tool.argv
    return Path(path)


def test_where_a_toolkit_is_looked_for_in_this_order(tmp_path, machine, monkeypatch):
    places = [
        machine / "Ascend" / "cann",
        machine / "Ascend" / "ascend-toolkit" / "latest",
        machine / "Ascend" / "latest",
        machine / "Ascend",
    ]
    for place in places:
        install(place)
        assert found_in() == place / "bin/atc"
    install(tmp_path / "recorded" / "latest")
    written(tmp_path / "ascend_cann_install.info", f"name=x\nInstall_Path={tmp_path}/recorded\n")
    assert found_in() == tmp_path / "recorded/latest/bin/atc"
    monkeypatch.setenv("PATH", f"{install(tmp_path / 'on_path')}/bin:{SYSTEM_PATH}")
    assert found_in() == tmp_path / "on_path/bin/atc"
    for variable in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.setenv(variable, str(install(tmp_path / variable)))
        assert found_in() == tmp_path / variable / "bin/atc"
    assert found_in(install(tmp_path / "flag")) == tmp_path / "flag/bin/atc"


@pytest.mark.parametrize("place", ("bin/atc", "atc/bin/atc", "compiler/bin/atc", "atc"))
@pytest.mark.parametrize("home", ("", "latest", "ascend-toolkit/latest", "cann"))
def test_where_a_toolkit_has_its_atc(tmp_path, home, place):
    """Below the folder that was named, which may be the one that everything was installed to."""
    root = tmp_path / "named"
    install(root / home, place)
    written(root / home / "x86_64-linux/data/platform_config/Ascend310.ini", "")
    written(root / home / "version.cfg", "x=[1.84:8.1.RC1]\n")
    tool = find_atc("cann", root)
    assert tool.argv == (str(root / home / place),)
    assert (tool.soc_versions, tool.version) == (("Ascend310",), "CANN 8.1.RC1")
    assert tool.setup == root / home / "set_env.sh" and tool.env["SOURCED"] == str(root / home)
    of_runner = find_runner("cann", "msame", program(tmp_path / "msame"), root)
    assert (of_runner.version, of_runner.setup) == ("CANN 8.1.RC1", tool.setup)


@pytest.mark.parametrize("home", ("", "latest", "ascend-toolkit/latest", "cann"))
@pytest.mark.parametrize("root", ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "PATH", "record", "base"))
def test_the_same_places_count_below_every_root(tmp_path, machine, monkeypatch, root, home):
    folder = machine / "Ascend" if root == "base" else tmp_path / "root"
    install(folder / home)
    if root == "record":
        written(tmp_path / "ascend_cann_install.info", f"Install_Path={folder}\n")
    elif root == "PATH":
        monkeypatch.setenv("PATH", f"{folder / home}/bin:{SYSTEM_PATH}")
    elif root != "base":
        monkeypatch.setenv(root, str(folder))
    tool = find_atc(None, None)
    assert tool.argv == (str(folder / home / "bin/atc"),) and tool.setup == folder / home / "set_env.sh"


def test_the_first_of_several_in_a_named_folder(tmp_path):
    for home in ("cann", "ascend-toolkit/latest", "latest", ""):
        install(tmp_path / "named" / home)
        assert found_in(tmp_path / "named") == tmp_path / "named" / home / "bin/atc"


@pytest.mark.parametrize("place", ("bin/atc", "atc/bin/atc", "compiler/bin/atc"))
def test_the_toolkit_of_an_atc_on_the_path(tmp_path, monkeypatch, place):
    root = install(tmp_path / "cann", place)
    monkeypatch.setenv("PATH", f"{(root / place).parent}:{SYSTEM_PATH}")
    tool = find_atc(None, None)
    assert tool.argv == (str(root / place),) and tool.setup == root / "set_env.sh"


@pytest.mark.parametrize("place", ("bin/atc", "atc/bin/atc", "compiler/bin/atc"))
def test_a_link_to_atc_on_the_path_leads_to_its_toolkit(tmp_path, monkeypatch, place):
    root = install(tmp_path / "cann", place)
    written(root / "version.cfg", "x=[1.84:8.1.RC1]\n")
    (tmp_path / "local/bin").mkdir(parents=True)
    (tmp_path / "local/bin/atc").symlink_to(root / place)
    monkeypatch.setenv("PATH", f"{tmp_path}/local/bin:{SYSTEM_PATH}")
    tool = find_atc(None, None)
    assert tool.argv == (str(root / place),) and tool.setup == root / "set_env.sh"
    assert tool.env["SOURCED"] == str(root) and tool.version == "CANN 8.1.RC1"


def test_a_toolkit_whose_newest_version_is_a_link(tmp_path, monkeypatch):
    """As CANN lays them out: the script stands beside the versions."""
    install(tmp_path / "ascend-toolkit/8.1.RC1", set_env=False)
    (tmp_path / "ascend-toolkit/latest").symlink_to("8.1.RC1")
    script = written(tmp_path / "ascend-toolkit/set_env.sh", "export SOURCED=beside\n")
    by_root = find_atc(None, tmp_path)
    assert by_root.argv == (f"{tmp_path}/ascend-toolkit/latest/bin/atc",) and by_root.setup == script
    (tmp_path / "elsewhere").symlink_to(tmp_path / "ascend-toolkit/latest")
    by_link = find_atc(None, tmp_path / "elsewhere")
    assert by_link.argv == (f"{tmp_path}/elsewhere/bin/atc",) and by_link.setup == script
    monkeypatch.setenv("PATH", f"{tmp_path}/ascend-toolkit/latest/bin:{SYSTEM_PATH}")
    on_path = find_atc(None, None)
    assert on_path.setup == script and on_path.env["SOURCED"] == "beside"


@pytest.mark.parametrize("linked", (False, True))
def test_the_emulator_on_the_path_is_no_real_atc(tmp_path, machine, monkeypatch, linked):
    emulator = Path(find_atc("emulator", None).argv[0])
    folder = emulator.parent
    if linked:
        folder = tmp_path / "links"
        folder.mkdir()
        (folder / "atc").symlink_to(emulator)
    monkeypatch.setenv("PATH", f"{folder}:{SYSTEM_PATH}")
    for choice in (None, "auto", "cann"):
        with pytest.raises(NotReady) as raised:
            find_atc(choice, None)
        assert raised.value.message == "there is no atc on this machine"
    with pytest.raises(NotReady):
        find_atc(None, folder)
    install(machine / "Ascend/cann")
    assert found_in() == machine / "Ascend/cann/bin/atc"


@pytest.mark.parametrize("folder", ("tools", "bin", "atc", "compiler"))
def test_an_atc_on_the_path_without_a_toolkit_around_it(tmp_path, monkeypatch, folder):
    """Such as a script of the user's own that calls the real one."""
    monkeypatch.setenv("PATH", f"{program(tmp_path / folder / 'atc').parent}:{SYSTEM_PATH}")
    assert found_in() == tmp_path / folder / "atc"


def test_a_variable_that_leads_nowhere_is_passed_over(tmp_path, machine, monkeypatch):
    install(machine / "Ascend" / "cann")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "removed"))
    assert found_in() == machine / "Ascend/cann/bin/atc"


def test_a_file_that_cannot_be_run_is_no_atc(tmp_path, machine):
    program(machine / "Ascend/cann/bin/atc").chmod(0o644)
    (machine / "Ascend/ascend-toolkit/bin/atc").mkdir(parents=True)
    with pytest.raises(NotReady):
        find_atc(None, None)


def test_there_is_no_toolkit(machine):
    for choice in (None, "auto", "cann"):
        with pytest.raises(NotReady) as raised:
            find_atc(choice, None)
        assert raised.value.message == "there is no atc on this machine"
        details = dict(raised.value.details)
        assert f"{machine}/Ascend/ascend-toolkit/latest/bin/atc" in details["looked for"]
        assert "set_env.sh" in details["fix"] and "--toolkit" in details["fix"]
        assert "--toolchain emulator" in details["hint"]


def test_the_named_toolkit_is_the_only_one_that_counts(tmp_path, machine):
    install(machine / "Ascend" / "cann")
    with pytest.raises(NotReady) as raised:
        find_atc(None, tmp_path / "empty")
    assert raised.value.message == f"--toolkit {tmp_path / 'empty'} has no atc"
    places = ("bin/atc", "latest/bin/atc", "ascend-toolkit/latest/bin/atc", "cann/bin/atc")
    assert dict(raised.value.details)["looked for"] == ", ".join(str(tmp_path / "empty" / place) for place in places)


def test_a_relative_toolkit_becomes_absolute(tmp_path, monkeypatch):
    install(tmp_path / "cann")
    monkeypatch.chdir(tmp_path)
    assert found_in(Path("cann")) == tmp_path / "cann/bin/atc"


def test_the_environment_is_set_up_where_it_was_not(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_HOME_PATH", str(install(tmp_path / "cann")))
    tool = find_atc(None, None)
    assert tool.setup == tmp_path / "cann/set_env.sh"
    assert tool.env["SOURCED"] == str(tmp_path / "cann")
    assert tool.env["PATH"] == f"{tmp_path}/cann/bin:{SYSTEM_PATH}"
    assert "SOURCED" not in os.environ


def test_what_the_user_has_set_up_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_HOME_PATH", str(install(tmp_path / "cann")))
    for mine in ("opp", "8.1.RC1/opp"):
        monkeypatch.setenv("ASCEND_OPP_PATH", f"{tmp_path}/cann/{mine}")
        tool = find_atc(None, None)
        assert tool.setup is None and "SOURCED" not in tool.env
        assert tool.env["ASCEND_OPP_PATH"] == f"{tmp_path}/cann/{mine}"
    other = find_atc(None, install(tmp_path / "other"))
    assert other.setup == tmp_path / "other/set_env.sh" and other.env["ASCEND_OPP_PATH"] == f"{tmp_path}/other/opp"


def test_what_the_user_has_set_up_through_a_link_is_kept(tmp_path, monkeypatch):
    install(tmp_path / "cann-8.1")
    (tmp_path / "cann").symlink_to("cann-8.1")
    for home, sourced in (("cann", "cann-8.1"), ("cann-8.1", "cann")):
        monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / home))
        monkeypatch.setenv("ASCEND_OPP_PATH", f"{tmp_path / sourced}/opp")
        assert find_atc(None, None).setup is None


@pytest.mark.parametrize("other", ("nnrt/latest/opp", "cann-other/opp"))
def test_atc_is_not_run_with_what_is_set_up_of_another_package(tmp_path, machine, monkeypatch, other):
    """As the runtime, which has no operators to build with; a runner can do with it."""
    root = install(machine / "Ascend/cann")
    program(machine / "msame")
    sourced = str(machine / "Ascend" / other)
    monkeypatch.setenv("ASCEND_OPP_PATH", sourced)
    tool = find_atc(None, None)
    assert tool.setup == root / "set_env.sh"
    assert (tool.env["SOURCED"], tool.env["ASCEND_OPP_PATH"]) == (str(root), f"{root}/opp")
    runner = find_runner(None, "msame", None, None)
    assert runner.setup is None and runner.env["ASCEND_OPP_PATH"] == sourced and "SOURCED" not in runner.env
    asked = find_runner(None, "msame", None, root)
    assert asked.setup == root / "set_env.sh" and asked.env["ASCEND_OPP_PATH"] == f"{root}/opp"


def test_what_is_set_up_is_kept_where_the_toolkit_has_no_script(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_OPP_PATH", "/mine")
    tool = find_atc(None, install(tmp_path / "cann", set_env=False))
    assert tool.setup is None and tool.env["ASCEND_OPP_PATH"] == "/mine"


def test_the_script_may_stand_one_folder_above(tmp_path):
    install(tmp_path / "cann" / "latest", set_env=False)
    assert find_atc(None, tmp_path / "cann/latest").setup is None
    script = written(tmp_path / "cann" / "set_env.sh", "export SOURCED=above\n")
    tool = find_atc(None, tmp_path / "cann/latest")
    assert tool.setup == script and tool.env["SOURCED"] == "above"


def test_a_script_that_fails_is_no_toolkit_that_is_ready(tmp_path):
    written(install(tmp_path / "cann") / "set_env.sh", "exit 1\n")
    with pytest.raises(NotReady) as raised:
        find_atc(None, tmp_path / "cann")
    assert f"{tmp_path / 'cann/set_env.sh'} cannot be sourced" in raised.value.message


def test_the_stubs_of_the_driver_come_last(tmp_path, monkeypatch):
    root = install(tmp_path / "cann")
    assert "LD_LIBRARY_PATH" not in find_atc(None, root).env
    (root / "x86_64-linux/devlib").mkdir(parents=True)
    assert find_atc(None, root).env["LD_LIBRARY_PATH"] == f"{root}/x86_64-linux/devlib"
    (root / "runtime/lib64/stub").mkdir(parents=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/driver/lib64:/other")
    assert find_atc(None, root).env["LD_LIBRARY_PATH"] == (
        f"/driver/lib64:/other:{root}/x86_64-linux/devlib:{root}/runtime/lib64/stub"
    )
    with open(str(root / "set_env.sh"), "a") as script:
        script.write('export LD_LIBRARY_PATH="/cann/lib64:$LD_LIBRARY_PATH"\n')
    assert find_atc(None, root).env["LD_LIBRARY_PATH"].startswith("/cann/lib64:/driver/lib64:/other:")
    assert os.environ["LD_LIBRARY_PATH"] == "/driver/lib64:/other"


def test_there_are_no_stubs_for_a_runner_nor_beside_a_device(tmp_path, machine, monkeypatch):
    root = install(tmp_path / "cann")
    for stubs in ("x86_64-linux/devlib", "runtime/lib64/stub"):
        (root / stubs).mkdir(parents=True)
    program(machine / "msame")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/driver/lib64")
    assert "devlib" in find_atc(None, root).env["LD_LIBRARY_PATH"]
    assert find_runner(None, "msame", None, root).env["LD_LIBRARY_PATH"] == "/driver/lib64"
    monkeypatch.setattr(toolkit, "_BASES", (str(tmp_path / "usr/local/Ascend"), "~/Ascend"))
    monkeypatch.setattr(toolkit, "_DEVICE", written(tmp_path / "device", ""))
    assert find_atc(None, root).env["LD_LIBRARY_PATH"] == "/driver/lib64"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert "LD_LIBRARY_PATH" not in find_atc(None, root).env


@pytest.mark.parametrize(
    ("modules", "kept"), ((("json", "os"), True), (("json", "no_such_module_of_atc"), False), ((), True))
)
def test_the_own_virtual_environment_is_left_only_if_it_lacks_what_atc_needs(tmp_path, monkeypatch, modules, kept):
    own = tmp_path / "venv"
    monkeypatch.setattr(sys, "prefix", str(own))
    monkeypatch.setattr(toolkit, "_PYTHON_OF_ATC", modules)
    monkeypatch.setenv("PATH", f"/first:{own}/bin:{SYSTEM_PATH}:{own}/bin/:{own}/bin2")
    monkeypatch.setenv("VIRTUAL_ENV", str(own))
    env = find_atc(None, install(tmp_path / "cann", set_env=False)).env
    if kept:
        assert env["PATH"] == os.environ["PATH"] and env["VIRTUAL_ENV"] == str(own)
    else:
        assert env["PATH"] == f"/first:{SYSTEM_PATH}:{own}/bin2" and "VIRTUAL_ENV" not in env


def test_a_python_that_is_no_virtual_environment_stays_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(toolkit, "_PYTHON_OF_ATC", ("no_such_module_of_atc",))
    monkeypatch.setenv("PATH", f"{sys.base_prefix}/bin:{SYSTEM_PATH}")
    assert find_atc(None, install(tmp_path / "cann", set_env=False)).env["PATH"] == os.environ["PATH"]


def test_the_version_is_read_from_the_first_record_that_has_one(tmp_path):
    root = install(tmp_path / "cann", set_env=False)

    def version():
        return find_atc(None, root).version

    assert version() == "CANN of unknown version"
    written(root / "compiler/version.info", "Package=x\nVersion=1.84.1\n")
    assert version() == "CANN 1.84.1"
    written(root / "version.cfg", "# version: 1.0\ncompiler_running_version=[1.84.15.1.310:6.0.1]\n")
    assert version() == "CANN 6.0.1"
    record = written(
        root / "x86_64-linux/ascend_toolkit_install.info",
        "package_name=Ascend-cann-toolkit\nversion=8.1.RC1\ninnerversion=V100R001C21\narch=x86_64\n",
    )
    assert version() == "CANN 8.1.RC1"
    record.write_bytes(b"\xff\x00 damaged")
    assert version() == "CANN 6.0.1"


def test_the_chips_are_those_of_the_toolkit(tmp_path):
    root = install(tmp_path / "cann", set_env=False)
    assert find_atc(None, root).soc_versions == SOC_VERSIONS
    for name in ("Ascend910B4-1", "Ascend310"):
        written(root / f"aarch64-linux/data/platform_config/{name}.ini", "")
    written(root / "aarch64-linux/data/platform_config/readme.txt", "")
    assert find_atc(None, root).soc_versions == ("Ascend310", "Ascend910B4-1")
    written(root / "data/platform_config/Ascend310P3.ini", "")
    assert find_atc(None, root).soc_versions == ("Ascend310", "Ascend310P3", "Ascend910B4-1")


def test_the_shipped_chips_are_those_of_cann_8_1():
    assert len(SOC_VERSIONS) == len(set(SOC_VERSIONS)) == 45
    assert {"Ascend310", "Ascend310P3", "Ascend310B4", "Ascend910B", "Ascend910B4-1", "Ascend910_9392"} <= set(
        SOC_VERSIONS
    )


@pytest.mark.parametrize("value", ("auto", "cann", "emulator"))
def test_the_variable_chooses_and_the_flag_overrules_it(monkeypatch, value):
    assert chosen(None) == "auto"
    monkeypatch.setenv("BIGGAN_TOOLCHAIN", value)
    assert chosen(None) == value
    assert chosen("cann") == "cann"
    monkeypatch.setenv("BIGGAN_TOOLCHAIN", "")
    assert chosen(None) == "auto"


def test_a_wrong_choice_names_where_it_comes_from(monkeypatch):
    with pytest.raises(UsageError) as raised:
        find_atc("ascend", None)
    assert raised.value.message == "--toolchain ascend is not one of auto, cann, emulator"
    monkeypatch.setenv("BIGGAN_TOOLCHAIN", "Emulator")
    for find in (lambda: find_atc(None, None), lambda: find_runner(None, "msame", None, None)):
        with pytest.raises(UsageError) as raised:
            find()
        assert raised.value.message.startswith("BIGGAN_TOOLCHAIN=Emulator is not one of")


@pytest.mark.parametrize("runner", ("msame", "ais_bench"))
def test_the_emulator_comes_only_when_it_is_asked_for(tmp_path, machine, monkeypatch, runner):
    install(machine / "Ascend/cann")
    program(machine / "msame")
    tools = [find_atc("emulator", None), find_runner("emulator", runner, None, None)]
    monkeypatch.setenv("BIGGAN_TOOLCHAIN", "emulator")
    tools += [find_atc(None, None), find_runner(None, runner, None, None)]
    for tool in tools:
        assert tool.emulated and "emulated" in tool.version and tool.setup is None
        assert tool.soc_versions == SOC_VERSIONS and tool.env["BIGGAN_PYTHON"] == sys.executable
    assert [tool.argv for tool in tools[:2]] == [tool.argv for tool in tools[2:]]
    monkeypatch.setenv("PATH", f"{python_with_ais_bench(tmp_path / 'bin/python3').parent}:{SYSTEM_PATH}")
    for choice in ("auto", "cann"):
        assert not find_atc(choice, None).emulated
        assert not find_runner(choice, runner, None, None).emulated


@pytest.mark.parametrize("runner", ("msame", "ais_bench"))
def test_the_emulator_takes_no_program_and_no_toolkit(tmp_path, monkeypatch, runner):
    root, own = install(tmp_path / "cann"), program(tmp_path / "own")
    for find in (lambda: find_atc("emulator", root), lambda: find_runner("emulator", runner, None, root)):
        with pytest.raises(UsageError) as raised:
            find()
        assert raised.value.message == f"--toolchain emulator takes no --toolkit {root}"
    with pytest.raises(UsageError) as raised:
        find_runner("emulator", runner, own, None)
    assert raised.value.message == f"--runner-path {own} has no use with the emulator"
    monkeypatch.setenv("BIGGAN_TOOLCHAIN", "emulator")
    with pytest.raises(UsageError):
        find_runner(None, runner, own, None)
    assert found_in(root) == root / "bin/atc"  # a flag says more than the variable


@pytest.mark.parametrize("runner", ("msame", "ais_bench"))
def test_the_emulated_programs_start(runner):
    """That they are there and run with this Python; what they do is tested in unit/emulator."""
    for tool in (find_atc("emulator", None), find_runner("emulator", runner, None, None)):
        done = subprocess.run([*tool.argv, "--help"], env=tool.env, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_a_command_can_be_pasted_into_a_bare_shell(tmp_path):
    root = install(tmp_path / "my cann")
    program(root / "bin/atc", '"$SOURCED" "$1"')
    command = find_atc(None, root).pasted(["--input_shape=z:1,8;y:1,1"])
    assert command.startswith(". '") and " && " in command
    done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": SYSTEM_PATH}, stdout=subprocess.PIPE)
    assert done.stdout.decode() == f"{root} --input_shape=z:1,8;y:1,1\n"


def test_a_command_for_a_shell_that_is_set_up_already(tmp_path):
    root = install(tmp_path / "cann", set_env=False)
    assert find_atc(None, root).pasted(["--help"]) == f"{root}/bin/atc --help"


def test_an_emulated_command_can_be_pasted_into_a_bare_shell():
    command = find_atc("emulator", None).pasted(["--help"])
    done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": SYSTEM_PATH}, stdout=subprocess.PIPE)
    assert done.returncode == 0 and done.stdout


def msame(given=None):
    (path,) = find_runner(None, "msame", given, None).argv
    return Path(path)


def test_where_msame_is_looked_for_in_this_order(tmp_path, machine, monkeypatch):
    for place in ("tools/msame/msame", "msame/out/main", "tools/msame/out/msame", "msame/out/msame"):
        program(machine / place)
        assert msame() == machine / place
    monkeypatch.setenv("PATH", f"{program(tmp_path / 'bin/msame').parent}:{SYSTEM_PATH}")
    assert msame() == tmp_path / "bin/msame"
    monkeypatch.setenv("BIGGAN_MSAME", str(program(tmp_path / "variable")))
    assert msame() == tmp_path / "variable"
    program(machine / "mine")
    monkeypatch.setenv("BIGGAN_MSAME", "~/mine")
    assert msame() == machine / "mine"
    assert msame(program(tmp_path / "flag")) == tmp_path / "flag"
    monkeypatch.chdir(tmp_path)
    assert msame(Path("flag")) == tmp_path / "flag"


def test_there_is_no_msame(tmp_path, machine, monkeypatch):
    with pytest.raises(NotReady) as raised:
        msame()
    assert raised.value.message == "there is no msame on this machine"
    details = dict(raised.value.details)
    assert str(machine / "tools/msame/out/msame") in details["looked for"]
    assert "--runner-path" in details["fix"] and "--runner ais_bench" in details["hint"]
    monkeypatch.setenv("BIGGAN_MSAME", str(tmp_path / "gone"))
    with pytest.raises(NotReady) as raised:
        msame()
    assert raised.value.message == f"BIGGAN_MSAME {tmp_path / 'gone'} is not a program"
    written(tmp_path / "text", "").chmod(0o644)
    with pytest.raises(NotReady) as raised:
        msame(tmp_path / "text")
    assert raised.value.message == f"--runner-path {tmp_path / 'text'} is not a program"
    assert dict(raised.value.details)["looked for"] == str(tmp_path / "text")


def test_msame_gets_the_environment_of_a_toolkit_or_of_a_runtime(tmp_path, machine):
    program(machine / "msame")
    bare = find_runner(None, "msame", None, None)
    assert (bare.version, bare.setup) == ("CANN of unknown version", None)
    runtime = machine / "Ascend/nnrt/latest"
    written(runtime / "set_env.sh", "export ASCEND_OPP_PATH=/opp SOURCED=nnrt\n")
    written(runtime / "x86_64-linux/ascend_nnrt_install.info", "version=7.0.0\n")
    of_runtime = find_runner(None, "msame", None, None)
    assert (of_runtime.version, of_runtime.setup) == ("CANN 7.0.0", runtime / "set_env.sh")
    assert of_runtime.env["SOURCED"] == "nnrt" and of_runtime.argv == bare.argv
    install(machine / "Ascend/cann")
    assert find_runner(None, "msame", None, None).env["SOURCED"] == str(machine / "Ascend/cann")
    of_named = find_runner(None, "msame", None, install(tmp_path / "named"))
    assert of_named.env["SOURCED"] == str(tmp_path / "named")


def python_of_ais_bench(given=None, root=None):
    path, *rest = find_runner(None, "ais_bench", given, root).argv
    assert rest == ["-m", "ais_bench"]
    return Path(path)


def test_the_python_of_ais_bench(tmp_path, monkeypatch):
    first = python_with_ais_bench(tmp_path / "first/python3")
    monkeypatch.setenv("PATH", f"{first.parent}:{SYSTEM_PATH}")
    assert python_of_ais_bench() == first
    named = python_with_ais_bench(tmp_path / "conda/bin/python3.9")
    assert python_of_ais_bench(named) == named
    monkeypatch.chdir(tmp_path)
    assert python_of_ais_bench(Path("conda/bin/python3.9")) == named
    monkeypatch.setenv("PATH", f"{named.parent}:{SYSTEM_PATH}")
    assert python_of_ais_bench(Path("python3.9")) == named


def test_ais_bench_is_looked_for_and_run_with_the_environment_of_the_toolkit(tmp_path, monkeypatch):
    """Its library needs those of CANN."""
    python = python_with_ais_bench(tmp_path / "bin/python3")
    written(tmp_path / "bin/modules/ais_bench.py", "import os\nos.environ['SOURCED']\n")
    monkeypatch.setenv("PATH", f"{python.parent}:{SYSTEM_PATH}")
    with pytest.raises(NotReady):
        python_of_ais_bench()
    root = install(tmp_path / "cann")
    tool = find_runner(None, "ais_bench", None, root)
    assert tool.argv == (str(python), "-m", "ais_bench") and tool.setup == root / "set_env.sh"
    assert tool.env["SOURCED"] == str(root)


def test_ais_bench_may_be_in_biggan_s_own_environment_or_behind_it(tmp_path, monkeypatch):
    own, other = tmp_path / "venv/bin/python3", tmp_path / "other/python3"
    python_without(own)
    python_with_ais_bench(other)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(toolkit, "_PYTHON_OF_ATC", ("no_such_module_of_atc",))
    monkeypatch.setenv("PATH", f"{own.parent}:{other.parent}:{SYSTEM_PATH}")
    assert python_of_ais_bench() == other
    python_with_ais_bench(own)
    assert python_of_ais_bench() == own


def test_there_is_no_python_for_ais_bench(tmp_path, monkeypatch):
    for given in (tmp_path / "gone", python_without(tmp_path / "python3.9"), written(tmp_path / "text", "")):
        with pytest.raises(NotReady) as raised:
            python_of_ais_bench(given)
        assert raised.value.message == f"--runner-path {given} is no Python that has ais_bench"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady) as raised:
        python_of_ais_bench()
    assert raised.value.message == "no Python here has ais_bench"
    assert dict(raised.value.details)["looked for"] == "python3 on PATH"
    python = python_without(tmp_path / "bin/python3")
    monkeypatch.setenv("PATH", str(python.parent))
    with pytest.raises(NotReady) as raised:
        python_of_ais_bench()
    details = dict(raised.value.details)
    assert details["looked for"] == str(python)
    assert "--runner-path" in details["fix"] and "--toolchain emulator" in details["hint"]


def test_a_named_python_without_ais_bench_is_not_replaced_by_another(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{python_with_ais_bench(tmp_path / 'bin/python3').parent}:{SYSTEM_PATH}")
    with pytest.raises(NotReady) as raised:
        python_of_ais_bench(python_without(tmp_path / "named"))
    assert dict(raised.value.details)["looked for"] == str(tmp_path / "named")


def test_the_installed_toolkit_is_the_one_of_atc(machine):
    assert find_toolkit() is None
    runtime = machine / "Ascend/nnae/latest"
    written(runtime / "ascend_nnae_install.info", "package_name=x\nversion=5.1.RC1\n")
    assert find_toolkit() == Toolkit(runtime, "CANN 5.1.RC1", None)
    home = install(machine / "Ascend/cann")
    assert find_toolkit() == Toolkit(home, "CANN of unknown version", home / "set_env.sh")
    assert str(find_toolkit().home / "bin/atc") == find_atc("cann", None).argv[0]


def test_the_folder_of_the_driver_or_of_the_emulator_is_no_toolkit(machine, monkeypatch):
    written(machine / "Ascend/driver/version.info", "Version=24.1\n")
    monkeypatch.setenv("PATH", f"{toolkit._EMULATOR}:{SYSTEM_PATH}")
    assert find_toolkit() is None


def test_a_user_without_a_home(monkeypatch):
    """As a container has it that runs as a number; Python 3.7 raises a KeyError where later ones do not."""

    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert find_toolkit() is None
    with pytest.raises(NotReady, match="no atc"):
        find_atc("cann", None)
    with pytest.raises(NotReady, match="no msame"):
        find_runner("cann", "msame", None, None)


MSPROF = "tools/profiler/bin/msprof"
MSPROF_PY = "tools/profiler/profiler_tool/analysis/msprof/msprof.py"


@pytest.mark.parametrize("place", (MSPROF, f"x86_64-linux/{MSPROF}", f"aarch64-linux/toolkit/{MSPROF}", "bin/msprof"))
def test_msprof_of_a_toolkit(tmp_path, machine, place):
    home = install(machine / "Ascend" / "ascend-toolkit" / "latest")
    found = program(home / place)
    written(home / MSPROF_PY, "")
    for given in (None, home, home.parents[1]):
        tool = find_msprof(given)
        assert tool.argv == (str(found),) and tool.setup == home / "set_env.sh"
        assert tool.env["SOURCED"] == str(home)


@pytest.mark.parametrize("place", (MSPROF_PY, f"x86_64-linux/toolkit/{MSPROF_PY}"))
def test_msprof_py_of_an_older_toolkit(machine, monkeypatch, place):
    home = install(machine / "Ascend" / "latest")
    script = written(home / place, "")
    python = program(machine / "bin" / "python3")
    monkeypatch.setenv("PATH", f"{machine}/bin:{SYSTEM_PATH}")
    assert find_msprof(None).argv == (str(python), str(script))


def test_msprof_on_the_path_goes_before_the_usual_folders(tmp_path, machine, monkeypatch):
    program(machine / "Ascend" / MSPROF)
    alone = program(tmp_path / "alone" / "msprof")
    monkeypatch.setenv("PATH", f"{alone.parent}:{SYSTEM_PATH}")
    assert find_msprof(None).argv == (str(alone),)
    other = install(tmp_path / "other")
    inside = program(other / MSPROF)
    monkeypatch.setenv("PATH", f"{inside.parent}:{SYSTEM_PATH}")
    assert find_msprof(None)[:1] == ((str(inside),),) and find_msprof(None).setup == other / "set_env.sh"
    named = program(tmp_path / "named" / MSPROF)
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "named"))
    assert find_msprof(None).argv == (str(named),)


def test_no_msprof(tmp_path, machine):
    home = install(machine / "Ascend" / "latest")
    program(home / MSPROF).chmod(0o644)
    with pytest.raises(NotReady, match="there is no msprof on this machine"):
        find_msprof(None)
    with pytest.raises(NotReady, match=r"--toolkit .* has no msprof"):
        find_msprof(tmp_path)
