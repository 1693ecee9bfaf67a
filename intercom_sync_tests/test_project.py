"""The project's own files agree with each other."""

import re
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest
import yaml
from packaging.requirements import Requirement

import intercom_sync

_ROOT = Path(intercom_sync.__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def _names(path: str) -> dict[str, set[str]]:
    """Every package a lock pins, with its versions: other platforms may need another."""
    pins: dict[str, set[str]] = {}
    for name, pinned in _PINNED.findall((_ROOT / path).read_text()):
        pins.setdefault(name.lower().replace("_", "-"), set()).add(pinned)
    return pins


def test_every_way_to_start_dagster_names_one_module() -> None:
    (location,) = yaml.safe_load((_ROOT / "workspace.yaml").read_text())["load_from"]
    ours = _PROJECT["tool"]["dg"]["project"]
    assert location["python_module"]["module_name"] == ours["code_location_target_module"]
    assert location["python_module"]["location_name"] == ours["code_location_name"]
    assert isinstance(import_module(ours["code_location_target_module"]).defs(), dg.Definitions)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_a_lock_names_no_index_and_hashes_everything(lock: str) -> None:
    text = (_ROOT / lock).read_text()
    assert not re.search(r"index-url|find-links|://|trusted-host", text)
    for block in re.split(r"\n(?=[a-z])", text):
        if _PINNED.match(block):
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_locks_satisfy_what_the_project_asks_for() -> None:
    needed = {Requirement(text) for text in _PROJECT["project"]["dependencies"]}
    wanted = needed | {Requirement(text) for text in _PROJECT["dependency-groups"]["dev"]}
    for lock, requirements in (("requirements.lock", needed), ("requirements-dev.lock", wanted)):
        pins = _names(lock)
        for requirement in requirements:
            pinned = pins[requirement.name.lower().replace("_", "-")]
            assert all(requirement.specifier.contains(one, prereleases=True) for one in pinned), requirement


def test_the_two_locks_pin_the_same_versions() -> None:
    production, development = _names("requirements.lock"), _names("requirements-dev.lock")
    assert {name: development.get(name) for name in production} == production


def test_what_is_installed_is_what_the_project_says() -> None:
    assert version("intercom-sync") == _PROJECT["project"]["version"]


def test_files_that_are_no_code_come_with_the_package() -> None:
    listed = _PROJECT["tool"]["setuptools"]["package-data"]["intercom_sync"]
    package = _ROOT / "intercom_sync"
    found = {path for pattern in listed for path in package.glob(pattern)}
    assert all(list(package.glob(pattern)) for pattern in listed)
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert others <= found


def test_the_migrations_head_is_the_last_revision() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from intercom_sync.warehouse.schema import migrate

    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_commit_is_checked_by_what_ci_checks_with() -> None:
    (local,) = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in local["hooks"]}
    recipe = re.search(r"^check: .*\n((?:\t.*\n)+)", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    commands = {line.strip().removeprefix("$(BIN)/").removesuffix(" .") for line in recipe[1].splitlines()}
    assert hooks == commands
