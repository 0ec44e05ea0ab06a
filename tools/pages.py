"""Write the generated pages: gaps, coverage and kafka-clients under docs, and the table in README.md.

    python -m tools.pages           writes them
    python -m tools.pages --check   says which are not current

The gaps come from the `Absent` part of every module's docstring, the coverage from docs/ledger.json, and the
clients from docs/kafka-clients.json.
"""

from __future__ import annotations

import ast
import json
import pathlib
import re
import sys
import textwrap

from cloudlet.kafka.dispatch import handlers
from cloudlet.wire.kafka.apis import apis

ROOT = pathlib.Path(__file__).parent.parent
SOURCE = ROOT / "src" / "cloudlet"
LEDGER = ROOT / "docs" / "ledger.json"

KAFKA_CLIENTS = ROOT / "docs" / "kafka-clients.json"

TABLE = re.compile(r"(<!-- coverage -->\n).*?(<!-- /coverage -->)", re.DOTALL)


def absent(path: pathlib.Path) -> str:
    """What a module says is missing, "" for nothing."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = re.search(r"^Absent  (.*?)(?:\n\S|\n\n|\Z)", docstring + "\n", re.DOTALL | re.MULTILINE)
    text = " ".join(found.group(1).split()) if found else ""
    return "" if text == "none" else text


def gaps() -> str:
    """The gaps page."""
    lines = [
        "# What is absent",
        "",
        "Written by `make docs` from the modules themselves; whoever closes a gap removes it there.",
        "An operation, a member, a property, a flag, a mechanism or a version that a client can name is",
        "refused by its name. Where an entry says that something is kept, passed over or taken, it is so.",
        "The rest is how a module is built: nobody can ask for it.",
        "",
    ]
    for path in sorted(SOURCE.rglob("*.py")):
        missing = absent(path)
        if missing:
            module = path.relative_to(SOURCE).with_suffix("").as_posix()
            lines += textwrap.wrap(f"- **{module}**: {missing}", 118, subsequent_indent="  ")
    lines += ["", *operations_absent()]
    return "\n".join(lines).rstrip() + "\n"


def operations_absent() -> list[str]:
    """The operations of implemented services that are not there."""
    lines = ["## Operations absent from implemented services", ""]
    for service, operations in ledger().items():
        names = [name for name, level in operations.items() if level == "absent"]
        if names:
            lines += textwrap.wrap(f"- **{service}**: {', '.join(names)}", 118, subsequent_indent="  ")
    return lines


def ledger() -> dict[str, dict[str, str]]:
    """Service -> operation -> level."""
    found: dict[str, dict[str, str]] = (
        json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else {}
    )
    return found


def coverage_table() -> str:
    """One row per service."""
    rows = ["| service | operations | used by a stock client in the suite | absent |", "|---|---|---|---|"]
    for service, operations in ledger().items():
        levels = list(operations.values())
        missing = levels.count("absent")
        used, there = levels.count("behaviour"), len(levels) - missing
        rows.append(f"| {service} | {there} of {len(levels)} | {used} | {missing} |")
    return "\n".join(rows) + "\n"


def coverage() -> str:
    """The coverage page."""
    lines = [
        "# Operations",
        "",
        "Written by `make docs` from the conformance ledger, which a run of the suite fills in and holds:",
        "*behaviour* means that a test with a stock client has used the operation and looked at its effect,",
        "*shape* that its requests and replies agree with botocore's own codecs, *absent* that it is refused",
        "by name.",
        "",
        coverage_table(),
    ]
    for service, operations in ledger().items():
        lines += [f"## {service}", "", "| operation | level |", "|---|---|"]
        lines += [f"| {name} | {level} |" for name, level in operations.items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def kafka_clients() -> str:
    """The page of Kafka clients: API by version by client."""
    clients: dict[str, dict[str, list[int]]] = (
        json.loads(KAFKA_CLIENTS.read_text(encoding="utf-8")) if KAFKA_CLIENTS.exists() else {}
    )
    served = handlers()
    lines = [
        "# Kafka clients",
        "",
        "Written by `make docs`: the versions of every API that the broker serves, and those of them that",
        "passing tests have seen each client use. A client uses the highest version that both sides know, so",
        "a column shows what it speaks here, not all that it could. *Frames of the tests* are requests that",
        "the suite builds itself, in every version, by Kafka's schemas.",
        "",
        "| API | served | " + " | ".join(clients) + " |",
        "|---|---|" + "---|" * len(clients),
    ]
    for key, api in sorted(apis().items()):
        if key in served:
            used = [ranges(row.get(api.name, [])) for row in clients.values()]
            whole = ranges(list(range(api.versions.first, api.versions.last + 1)))
            lines.append(f"| {api.name} | {whole} | " + " | ".join(used) + " |")
    return "\n".join(lines) + "\n"


def ranges(versions: list[int]) -> str:
    """Versions as people write them: 0-3, 5."""
    told: list[list[int]] = []
    for version in sorted(versions):
        if told and told[-1][1] == version - 1:
            told[-1][1] = version
        else:
            told.append([version, version])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in told)


def readme() -> str:
    """README.md with its table current."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return TABLE.sub(lambda found: found.group(1) + coverage_table() + found.group(2), text)


def pages() -> dict[pathlib.Path, str]:
    """Every generated page and what should stand in it."""
    return {
        ROOT / "docs" / "gaps.md": gaps(),
        ROOT / "docs" / "coverage.md": coverage(),
        ROOT / "docs" / "kafka-clients.md": kafka_clients(),
        ROOT / "README.md": readme(),
    }


def stale() -> list[pathlib.Path]:
    """The pages that are not current."""
    return [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    if "--check" in sys.argv:
        for path in stale():
            print(f"{path.relative_to(ROOT)} is not current: run `make docs`")
        return 1 if stale() else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
