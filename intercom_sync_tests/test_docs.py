"""What the docs and docstrings name exists: modules, functions, tables, columns, checks, files, links and anchors.

A back-ticked name is looked up in the source as it is parsed, so nothing is imported. It counts as existing when the
package defines or uses it, or when one of its string literals contains it: SQL, JSON fields and settings are text.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from intercom_sync.domain.schema.tables import TABLES
from intercom_sync_tests.docs import ROOT

_PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if not page.name.startswith("licenses")),
    *(page for folder in ("intercom_sync_tests", "benchmarks") for page in sorted((ROOT / folder).rglob("*.md"))),
]
_SOURCES = sorted((ROOT / "intercom_sync").rglob("*.py"))
_TESTS = sorted(path for folder in ("intercom_sync_tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
_TABLES = {table.name: {column.name for column in table.all_columns} for table in TABLES}
_EARLIER_NAMES = {"earlier_names.py", "renames.py"}
"""Modules that hold names of releases before, which no page may use."""
_ELSEWHERE = {"python3", "plan_amount", "price__recurring__interval", "conversations.list", "Preview"}
"""Programs, fields and values of Intercom and Stripe that no source names in full."""

_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"[\w.]+(/[\w.]+)*/?")
_SUFFIX = re.compile(r"\.(py|md|yaml|toml|sql|lock|cfg)$")
_NAME = re.compile(r"[A-Za-z_]\w+(\.[A-Za-z_]\w*)*(?<!_)")
_CLASS = re.compile(r"([A-Z][a-z0-9]+){2,}")
_LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)\)")


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string that is a statement: docstrings, and those below an attribute or a constant."""
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def _words(path: Path) -> Iterator[str]:
    """Every identifier of a module, and every word in its string literals but docstrings and names in CamelCase."""
    described = {(line, text) for line, text in _docstrings(path)}
    for node in ast.walk(_parsed(path)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=asname):
                yield from (*name.split("."), asname or "")
            case ast.Constant(value=str(text)) if (node.lineno, text) not in described:
                yield from (word for word in re.findall(r"\w+", text) if not _CLASS.fullmatch(word))


def _members(tree: ast.Module | ast.ClassDef) -> set[str]:
    """What a module or a class defines: functions, classes, assigned names, imports, attributes of self."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if node is not tree:
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name)
    return found


@cache
def _owners() -> dict[str, set[str]]:
    """What each package, module (by its name, which is unique) and class of the package has below it."""
    owners: dict[str, set[str]] = {}
    for path in _SOURCES:
        name = path.parent.name if path.stem == "__init__" else path.stem
        siblings = {one.stem for one in path.parent.iterdir()} if path.stem == "__init__" else set()
        owners.setdefault(name, set()).update(_members(_parsed(path)) | siblings)
        for node in ast.walk(_parsed(path)):
            if isinstance(node, ast.ClassDef):
                owners.setdefault(node.name, set()).update(_members(node))
    return owners


@cache
def _known() -> set[str]:
    """Every name that the package has or uses, what the tests define, and the names of their files."""
    words = {word for path in _SOURCES if path.name not in _EARLIER_NAMES for word in _words(path)}
    defined = {name for path in _TESTS for name in _members(_parsed(path))}
    return words | defined | _owners().keys() | {path.stem for path in _TESTS} | {path.parent.name for path in _TESTS}


def _is_path(name: str) -> bool:
    return bool(_PATH.fullmatch(name)) and ("/" in name or bool(_SUFFIX.search(name)))


def _file_exists(name: str, near: Path) -> bool:
    """Whether a path is a file or folder from the root, the package, the tests, or the file that names it."""
    folders = (ROOT, ROOT / "intercom_sync", ROOT / "intercom_sync_tests", near.parent)
    return any((folder / name).exists() for folder in folders)


def _name_exists(name: str) -> bool:
    if name in _ELSEWHERE:
        return True
    first, *rest = name.split(".")
    if first in _TABLES:
        return set(rest) <= _TABLES[first]
    if first not in _owners():
        return all(part in _known() for part in (first, *rest))
    pairs = zip((first, *rest), rest, strict=False)
    return all(member in _owners().get(owner, {member}) for owner, member in pairs)


def _unknown(code: str, near: Path) -> bool:
    """Whether back-ticked code looks like a name of ours that does not exist; commands and values are no names."""
    if _is_path(code):
        return bool(_SUFFIX.search(code)) and not _file_exists(code, near)
    return bool(_NAME.fullmatch(code)) and not (_name_exists(code) or _file_exists(code, near))


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", _PAGES, ids=_id)
def test_every_name_and_file_on_a_page_exists(page: Path) -> None:
    assert [code for code in _CODE.findall(_prose(page)) if _unknown(code, page)] == []


@pytest.mark.parametrize("page", _PAGES, ids=_id)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(_prose(page)):
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_name_and_file_in_a_docstring_exists() -> None:
    missing = [
        f"{_id(path)}:{line}: {code}"
        for path in _SOURCES
        for line, text in _docstrings(path)
        for code in _CODE.findall(text)
        if _unknown(code, path)
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["sync_marks", "no_such.function", "run_plan.no_such", "sync_runs.no_such", "a/b.py"])
def test_a_name_that_does_not_exist_is_found(name: str) -> None:
    assert _unknown(name, _PAGES[0])


@pytest.mark.parametrize(
    "name",
    [
        "sync_runs",
        "sync_runs.as_of",
        "plan_run",
        "run_plan.plan_run",
        "intercom_sync.settings",
        "cli.py",
        "domain/",
        "--full",
    ],
)
def test_a_name_that_exists_is_accepted(name: str) -> None:
    assert not _unknown(name, _PAGES[0])
