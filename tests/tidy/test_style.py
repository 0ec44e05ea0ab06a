"""The house style, as far as a test can tell."""

import ast
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
SOURCES = sorted((ROOT / "src" / "cloudlet").rglob("*.py"))
MODULES = [path for path in SOURCES if path.name not in ("__init__.py", "__main__.py")]

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CLASS_LINES_MAX = 300

# Imports inside functions keep start-up fast; elsewhere they hide a dependency.
MAY_IMPORT_LATE = ("cli/", "shell/")

# Where every other error would take the process down: one connection or one background task may not.
MAY_CATCH_ALL = ("shell/", "engines/", "aws/drive.py")

NAMES_REFUSED = re.compile(r"(get|handle|process)_|.*_manager$")
CLASSES_REFUSED = re.compile(r".*(Manager|Helper|Utils?)$")
PACKAGES_REFUSED = {"utils", "util", "common", "helpers", "misc", "base", "v2"}

DOCSTRING_PARTS = ("State ", "Source ", "Absent ")

# The operations of AWS that begin with Get are functions by the model's name.
NAMED_BY_A_MODEL = ("services/",)

NAMED_BY_ASYNCIO = {"get_buffer"}


def name(path):
    return path.relative_to(ROOT / "src" / "cloudlet").as_posix()


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def definitions(path, kinds):
    return [node for node in ast.walk(tree(path)) if isinstance(node, kinds)]


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_sizes(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX
    for node in definitions(path, (*FUNCTIONS, ast.ClassDef)):
        limit = CLASS_LINES_MAX if isinstance(node, ast.ClassDef) else FUNCTION_LINES_MAX
        size = node.end_lineno - node.lineno + 1
        assert size <= limit, f"{node.name} has {size} lines, at most {limit}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_docstrings_say_state_source_and_absent(path):
    text = ast.get_docstring(tree(path)) or ""
    first, *rest = text.split("\n\n", 1)
    assert first.replace("\n", " ").strip().endswith("."), "a module docstring opens with one sentence"
    lines = "\n".join(rest).splitlines()
    for part in DOCSTRING_PARTS:
        assert any(line.startswith(part) for line in lines), f"no line starts with {part!r}"
    missing = next(line.removeprefix("Absent ").strip() for line in lines if line.startswith("Absent "))
    assert not missing.startswith("none") or missing == "none", "the page of gaps would list it"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_names(path):
    assert not PACKAGES_REFUSED & set(pathlib.PurePath(name(path)).with_suffix("").parts)
    for node in definitions(path, FUNCTIONS):
        if not name(path).startswith(NAMED_BY_A_MODEL) and node.name not in NAMED_BY_ASYNCIO:
            assert not NAMES_REFUSED.match(node.name), node.name
    for node in definitions(path, ast.ClassDef):
        assert not CLASSES_REFUSED.match(node.name), node.name


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_is_left_unfinished(path):
    found = re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", path.read_text(encoding="utf-8"))
    assert found is None, found


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_stand_at_the_top(path):
    if name(path).startswith(MAY_IMPORT_LATE):
        return
    for function in definitions(path, FUNCTIONS):
        for node in ast.walk(function):
            assert not isinstance(node, ast.Import | ast.ImportFrom), f"line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_state_in_modules(path):
    """A container at a module's top is a constant: spelled in capitals, or private and never changed."""
    for node in tree(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            value = node.value
            if isinstance(target, ast.Name) and isinstance(value, ast.List | ast.Dict | ast.Set):
                assert target.id.lstrip("_").isupper() or target.id == "__all__", (
                    f"line {node.lineno}: {target.id}"
                )
    for node in definitions(path, ast.Global):
        pytest.fail(f"line {node.lineno}: global")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_errors_are_caught_by_name(path):
    if name(path).startswith(MAY_CATCH_ALL):
        return
    for node in definitions(path, ast.ExceptHandler):
        assert node.type is not None, f"line {node.lineno}"
        assert not (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")), (
            f"line {node.lineno}"
        )


def test_the_tree_speaks_of_the_project_alone():
    """No path of one machine, and no address of one place's package registry."""
    paths = r"(^|[^A-Za-z0-9._-])/(work|farm|root)/"
    registries = r"https?://[^/ ]*(pypi[.]|npmjs[.]|crates[.]|proxy[.]golang|repo[0-9]*[.]maven)[^ ]*"
    found = subprocess.run(
        ["git", "grep", "-nIE", f"{paths}|{registries}", "--", ".", ":!tests/tidy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_every_decision_is_numbered_once():
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))
    assert all(number.isdigit() for number in numbers)
