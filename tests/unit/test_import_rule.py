"""Imports go one way, each library has one door, and the command line starts light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import biggan_cli

PACKAGE = Path(biggan_cli.__file__).parent
# A room imports only its own and what stands after it.
LEVELS = [
    *("cli", "core", "training", "inference", "metrics", "emulator", "deploy", "data", "model", "runtime"),
    *("rundir", "files", "config", "presets", "protocols", "settings", "errors"),
]
DOORS = {
    "tensorflow": {"runtime/tf.py"},
    "npu_bridge": {"runtime/device.py"},
    "moxing": {"runtime/storage.py"},
    "subprocess": {"runtime/process.py"},
    "rich": {"cli/console.py"},
    "urllib": {"runtime/network.py"},
    "http": {"runtime/network.py"},
    "socket": {"files.py"},
}


def imports():
    """(file, level, line, imported module, inside a function) for every import of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for module in modules:
                yield name, name.split("/")[0].replace(".py", ""), node.lineno, module, id(node) in inside


IMPORTS = list(imports())


def test_every_room_has_a_level():
    rooms = {level for _, level, _, _, _ in IMPORTS} - {"__init__", "__main__"}
    assert rooms <= set(LEVELS)


def test_imports_go_one_way():
    wrong = []
    for name, level, line, module, _ in IMPORTS:
        parts = module.split(".")
        if parts[0] != "biggan_cli" or level not in LEVELS or len(parts) < 2 or parts[1] not in LEVELS:
            continue
        if LEVELS.index(parts[1]) < LEVELS.index(level):
            wrong.append(f"{name}:{line} imports {module}")
    assert not wrong


def test_each_library_has_one_door():
    wrong = [
        f"{name}:{line} imports {module}"
        for name, _, line, module, _ in IMPORTS
        for library, doors in DOORS.items()
        if module.split(".")[0] == library and name not in doors
    ]
    assert not wrong


def test_core_knows_neither_typer_nor_rich():
    wrong = [
        f"{name}:{line}"
        for name, level, line, module, _ in IMPORTS
        if level != "cli" and module.split(".")[0] in ("typer", "click", "rich")
    ]
    assert not wrong


def test_cli_imports_core_only_inside_command_bodies():
    wrong = [
        f"{name}:{line}"
        for name, level, line, module, inside in IMPORTS
        if level == "cli" and module.startswith("biggan_cli.core") and not inside
    ]
    assert not wrong


@pytest.mark.parametrize("arguments", (["--help"], ["--version"], ["train", "--help"]))
def test_help_and_version_import_nothing_heavy(arguments):
    code = (
        "import sys, atexit\n"
        f"sys.argv = ['biggan'] + {arguments!r}\n"
        "heavy = ('tensorflow', 'numpy', 'scipy', 'PIL')\n"
        "atexit.register(lambda: print('HEAVY', [m for m in heavy if m in sys.modules]))\n"
        "from biggan_cli.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout.decode()
