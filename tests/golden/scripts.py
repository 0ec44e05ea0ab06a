"""Golden scripts: commands at the margin, what came of each indented below; the trace is kept in the file.

A script is run by `run(command, words, options)`, which returns the lines of the trace. `--rewrite` writes
the traces anew, and the diff is then read by a human.
"""

import pathlib
import shlex

HERE = pathlib.Path(__file__).parent
INDENT = "    "


def scripts(folder):
    return sorted((HERE / folder).glob("*.script"))


def check(path, run, *, is_rewritten):
    text = path.read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        if line.startswith(INDENT):
            continue
        lines.append(line)
        if line.strip() and not line.startswith("#"):
            lines.extend(INDENT + each for each in run(*parsed(line)))
    found = "\n".join(lines) + "\n"
    if is_rewritten:
        path.write_text(found, encoding="utf-8")
    assert found == text


def parsed(line):
    """`join w1 session=10` -> ("join", ["w1"], {"session": "10"})."""
    command, *rest = shlex.split(line)
    words = [each for each in rest if "=" not in each]
    return command, words, dict(each.split("=", 1) for each in rest if "=" in each)
