"""Writes Kafka's message schemas in our own notation, from the message definitions of Apache Kafka and of its
clients; a step of development, run by hand when a new Kafka comes.

    python -m tools.kafka_schemas FOLDER [FOLDER …]     of .json definitions, the first one wins

Only facts are taken: names, types, versions, tags, defaults. What the notation means is told in
src/cloudlet/wire/kafka/schema.py.
"""

import json
import pathlib
import re
import sys

TARGET = pathlib.Path(__file__).parent.parent / "src" / "cloudlet" / "wire" / "kafka" / "schemas"

# Between brokers and controllers of KRaft, and removed APIs: never served here.
LEFT_OUT = re.compile(
    r"AddRaft|RemoveRaft|UpdateRaft|AllocateProducer|AlterPartition(Request|Response)|AssignReplicas|QuorumEpoch|"
    r"Broker(Heartbeat|Registration)|ControllerRegistration|ControlledShutdown|Envelope|FetchSnapshot|LeaderAndIsr|"
    r"StopReplica|UpdateMetadata|Vote|SubscriptionInfo|DefaultPrincipal|ListClientMetrics|StickyAssignor|"
    r"(Initialize|Read|Write|Delete)ShareGroupState|KRaftVersion|Snapshot(Header|Footer)|"
    r"ShareGroupPartitionMetadata|Streams"
)

# What Kafka 4.3 has changed since the definitions at hand: (message, line, replaced by).
AMENDMENTS = [
    *(
        (f"{verb}DelegationToken{kind}", f"{name} 0-", f"{name} 1-")
        for verb in ("Create", "Renew", "Expire", "Describe")
        for kind in ("Request", "Response")
        for name in (f"{verb}DelegationToken{kind}",)
    ),
    ("ConsumerGroupDescribeRequest", "ConsumerGroupDescribeRequest 0 ", "ConsumerGroupDescribeRequest 0-1 "),
    (
        "ConsumerGroupDescribeResponse",
        "ConsumerGroupDescribeResponse 0 ",
        "ConsumerGroupDescribeResponse 0-1 ",
    ),
    (
        "ConsumerGroupDescribeResponse",
        "    AuthorizedOperations",
        "      MemberType int8 1+ = -1\n    AuthorizedOperations",
    ),
    (
        "ConsumerGroupMetadataValue",
        "  Epoch int32 0+",
        "  Epoch int32 0+\n  MetadataHash int64 0+ tag 0 0+",
    ),
    (
        "OffsetCommitValue",
        "  expireTimestamp int64 1 = -1",
        "  expireTimestamp int64 1 = -1\n  topicId uuid 4+ tag 0 4+",
    ),
]

# What it has added to them.
ADDITIONS = """
data ConsumerGroupRegularExpressionKey 16 flexible none
  GroupId string 16
  RegularExpression string 16

data ConsumerGroupRegularExpressionValue 0 flexible 0+
  Topics []string 0+
  Version int64 0+
  Timestamp int64 0+
"""
COORDINATOR = ("coordinator-key", "coordinator-value")
COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


def definitions(folders):
    """name -> definition."""
    found = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.json")):
            text = COMMENT.sub(lambda match: match[1] or "", path.read_text(encoding="utf-8"))
            found.setdefault(path.stem, json.loads(text))
    return {name: found[name] for name in sorted(found) if not LEFT_OUT.search(name)}


def lines_of(name, definition):
    kind = definition["type"]
    if kind == "coordinator-key":  # since Kafka 4.1 its version is its type, in a field of its own
        definition = json.loads(
            json.dumps(definition).replace('ersions": "0"', f'ersions": "{definition["apiKey"]}"')
        )
    if kind in COORDINATOR:
        kind = "data"
    key = f" {definition['apiKey']}" if kind in ("request", "response") else ""
    flexible = definition.get("flexibleVersions", "none")
    yield f"{kind}{key} {name} {definition['validVersions']} flexible {flexible}"
    commons = {each["name"]: each for each in definition.get("commonStructs", ())}
    yield from field_lines(definition["fields"], commons, "  ")


def field_lines(fields, commons, indent):
    for field in fields:
        words = [field["name"], field["type"], field.get("versions") or field.get("taggedVersions", "0+")]
        if field.get("nullableVersions", "none") != "none":
            words.append(f"null {field['nullableVersions']}")
        if "tag" in field:
            words.append(f"tag {field['tag']} {field['taggedVersions']}")
        if "flexibleVersions" in field:
            words.append(f"flexible {field['flexibleVersions']}")
        default = field.get("default")
        if default not in (None, ""):
            words.append(f"= {str(default).lower() if isinstance(default, bool) else default}")
        yield indent + " ".join(words)
        inner = field.get("fields") or commons.get(field["type"].removeprefix("[]"), {}).get("fields")
        if inner:
            yield from field_lines(inner, commons, indent + "  ")


def _api_key(definition):
    return 1000 if definition["type"] in COORDINATOR else definition.get("apiKey", 1000)


def amended(name, text):
    for message, line, better in AMENDMENTS:
        if message == name:
            assert line in text, (name, line)
            text = text.replace(line, better, 1)
    return text


def main(folders):
    found = definitions(folders)
    groups = {"apis": [], "records": []}
    order = sorted(found, key=lambda name: (_api_key(found[name]), name))
    for name in order:
        kind = found[name]["type"]
        groups["apis" if kind in ("request", "response", "header") else "records"].append(name)
    TARGET.mkdir(exist_ok=True)
    for group, names in groups.items():
        text = "\n\n".join(amended(name, "\n".join(lines_of(name, found[name]))) for name in names)
        if group == "records":
            text += "\n" + ADDITIONS.rstrip()
        (TARGET / f"{group}.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
