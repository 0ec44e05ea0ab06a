"""Who a client with a certificate is: the certificate's name, or what rules make of it.

State   none
Source  Apache Kafka 4.3: SslPrincipalMapper, ssl.principal.mapping.rules (KIP-371)
Absent  none

    RULE:pattern/replacement/[L|U]   for a name that the pattern matches as a whole; in lower or upper case
    DEFAULT                          the name as it is

The first rule that applies says it; where none does, the client is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudlet.kafka.configs import InvalidConfig

RULES = "ssl.principal.mapping.rules"
_RULE = re.compile(r"(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?))\s*(?:,\s*|$)")
_BETWEEN = re.compile(r"[\s,]*")  # rules without a text count for nothing
_REFERENCE = re.compile(r"\\(.)|\$(\d+)")

Rule = Callable[[str], str | None]


def principals(text: str) -> Callable[[str], str | None]:
    """A function from a certificate's name to its principal's; None where no rule applies. InvalidConfig for
    what are no rules."""
    rules: list[Rule] = []
    text = re.sub(r"[\s,]+$", "", text)
    at = 0
    while (at := at + len(_BETWEEN.match(text, at)[0])) < len(text):  # type: ignore[index]  # it always matches
        found = _RULE.match(text, at)
        if found is None:
            raise InvalidConfig(f"{RULES}: Invalid rule: {text[at:]}")
        default, pattern, replacement, case = found.groups()
        rules.append(_itself if default else _rule(pattern, replacement, case))
        at = found.end()

    def name_of(distinguished: str) -> str | None:
        said = (rule(distinguished) for rule in rules)
        return next((name for name in said if name is not None), None)

    return name_of


def _itself(name: str) -> str | None:
    return name


def _rule(pattern: str, replacement: str, case: str) -> Rule:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InvalidConfig(f"{RULES}: Invalid rule: {pattern}: {error}") from None

    def rule(name: str) -> str | None:
        if compiled.fullmatch(name) is None:
            return None
        found = compiled.sub(lambda match: _replaced(replacement, match), name)
        return found.lower() if case == "L" else found.upper() if case == "U" else found

    return rule


def _replaced(replacement: str, match: re.Match[str]) -> str:
    """What stands for a match: $1 is its first group; a number that it has not is only text."""

    def told(reference: re.Match[str]) -> str:
        escaped, digits = reference.groups()
        if escaped is not None:
            return str(escaped)
        groups = match.re.groups
        for size in range(len(digits), 0, -1):  # $12 is the first group and a 2 where there are fewer than 12
            if int(digits[:size]) <= groups:
                return (match[int(digits[:size])] or "") + digits[size:]
        return f"${digits}"

    return _REFERENCE.sub(told, replacement)
