"""The conformance ledger: which operations the suite has seen answering real clients.

Every cloud that the suite starts leaves a note of the operations that were answered well; with
`--ledger=check` the notes of a whole run are held against docs/ledger.json, which may only grow, and with
`--ledger=write` they replace it.

    absent      in AWS's model, not in ours
    shape       implemented: every request and reply shape agrees with botocore's own codecs
    behaviour   a test with a stock client has used it and looked at its effect
"""

import json
import os
import pathlib
import uuid

from cloudlet.aws.catalogue import Catalogue
from cloudlet.aws.implemented import implemented
from cloudlet.aws.models import Models

NOTES_VARIABLE = "CLOUDLET_LEDGER_NOTES"
LEDGER = pathlib.Path(__file__).parent.parent / "docs" / "ledger.json"
LEVELS = ("absent", "shape", "behaviour")


def note(answered):
    """Keep (service, operation) pairs that were answered well, if this run collects them."""
    folder = os.environ.get(NOTES_VARIABLE)
    if folder:
        text = json.dumps(sorted(answered))
        pathlib.Path(folder, f"{uuid.uuid4().hex}.json").write_text(text, encoding="utf-8")


def collected(folder):
    """The ledger of a run: service -> operation -> level."""
    seen = {
        tuple(pair) for path in pathlib.Path(folder).glob("*.json") for pair in json.loads(path.read_text())
    }
    catalogue = Catalogue(Models())
    ledger = {}
    for name in implemented():
        loaded = catalogue.service(name)
        ledger[name] = {
            operation: "absent"
            if loaded.service.operation(operation) is None
            else "behaviour"
            if (name, operation) in seen
            else "shape"
            for operation in sorted(loaded.model.operations)
        }
    return ledger


def fallen(baseline, ledger):
    """What the baseline has at a higher level than the ledger."""
    worse = []
    for service, operations in baseline.items():
        for operation, level in operations.items():
            now = ledger.get(service, {}).get(operation, "absent")
            if LEVELS.index(now) < LEVELS.index(level):
                worse.append(f"{service}.{operation}: {level} in docs/ledger.json, {now} in this run")
    return worse
