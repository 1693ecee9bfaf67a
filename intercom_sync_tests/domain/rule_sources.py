"""Digests of the rules' source; `python -m intercom_sync_tests.domain.rule_sources` prints the current ones."""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from intercom_sync import domain
from intercom_sync.domain.rule_versions import RULE_VERSIONS

PACKAGE = Path(domain.__file__).parent
_PREFIX = f"{domain.__name__}."
_OTHER_ENTRIES = {module for rule in RULE_VERSIONS.values() for module in rule.modules}
# The fingerprints contain settings and versions by value.
_NO_RULES = {"rules", "rule_versions"}


def digest(rule: str, package: Path = PACKAGE) -> str:
    """Return the digest of a rule's source."""
    parts = [f"{name}:{normalised(_path(package, name).read_text())}" for name in sorted(modules(rule, package))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def modules(rule: str, package: Path = PACKAGE) -> set[str]:
    """Return the modules of a rule: its entry modules and their imports, up to the entry modules of other rules."""
    found: set[str] = set()
    waiting = list(RULE_VERSIONS[rule].modules)
    stop = (_OTHER_ENTRIES | _NO_RULES) - set(waiting)
    while waiting:
        name = waiting.pop()
        if name not in found | stop:
            found.add(name)
            waiting += _imported(_path(package, name).read_text())
    return found


def normalised(source: str) -> str:
    """Return the source without comments, docstrings and white space, identical in every Python version."""
    dropped = [*_docstrings(ast.parse(source)), *_comments(source)]
    lines = source.splitlines(keepends=True)
    for (first, start), (last, end) in sorted(dropped, reverse=True):
        head, tail = lines[first - 1].encode()[:start].decode(), lines[last - 1].encode()[end:].decode()
        lines[first - 1 : last] = [head + tail]
    return "".join("".join(lines).split())


def _path(package: Path, name: str) -> Path:
    file = package / f"{name.replace('.', '/')}.py"
    return file if file.exists() else package / name.replace(".", "/") / "__init__.py"


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(_PREFIX):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield (name if _is_module(name) else node.module).removeprefix(_PREFIX)


def _is_module(name: str) -> bool:
    return (PACKAGE / f"{name.removeprefix(_PREFIX).replace('.', '/')}.py").exists()


Span = tuple[tuple[int, int], tuple[int, int]]


def _docstrings(tree: ast.AST) -> Iterator[Span]:
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and type(child.value.value) is str:
                assert child.end_lineno is not None
                assert child.end_col_offset is not None
                yield (child.lineno, child.col_offset), (child.end_lineno, child.end_col_offset)


def _comments(source: str) -> Iterator[Span]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            start = len(token.line[:column].encode())
            yield (line, start), (line, start + len(token.string.encode()))


if __name__ == "__main__":
    for each in RULE_VERSIONS:
        print(f"{each}: {digest(each)}")
