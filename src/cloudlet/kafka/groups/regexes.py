"""Regular expressions of consumer groups: read as RE2 reads them, matched in linear time.

State   none
Source  RE2 syntax (github.com/google/re2, "Syntax"); KIP-848: SubscribedTopicRegex, fully matched
Absent  named and Unicode classes ([[:alpha:]], \\p), flags, \\b: refused as no valid expression; \\Q…\\E

Theory of operation
    A client's expression runs on the broker's one loop, so it must not be able to hold it: nothing
    backtracks. An expression is parsed into a small automaton, and a name (ASCII, at most 249 characters) is
    walked once with the set of states it may be in. The number of states is bounded.
"""

from __future__ import annotations

from collections.abc import Callable

from cloudlet.kafka.faults import KafkaFault
from cloudlet.wire.kafka.error_codes import ErrorCode

PATTERN_CHARACTERS_MAX = 1_000
STATES_MAX = 4_000
REPEAT_MAX = 1_000  # RE2's own bound

_ANY = frozenset(map(chr, range(32, 127)))
_DIGIT = frozenset("0123456789")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE = frozenset(" \t\n\f\r")
_CLASSES = {
    "d": _DIGIT,
    "D": _ANY - _DIGIT,
    "w": _WORD,
    "W": _ANY - _WORD,
    "s": _SPACE,
    "S": _ANY - _SPACE,
}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "v": "\v"}


def compiled(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a whole name matches; INVALID_REGULAR_EXPRESSION."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise _invalid(pattern, f"longer than {PATTERN_CHARACTERS_MAX} characters")
    automaton = _Automaton(pattern)
    start, stop = automaton.parse()
    return lambda name: automaton.matches(name, start, stop)


def _invalid(pattern: str, why: str) -> KafkaFault:
    return KafkaFault(
        ErrorCode.INVALID_REGULAR_EXPRESSION,
        f"SubscribedTopicRegex `{pattern[:100]}` is not a valid regular expression: {why}.",
    )


_Piece = tuple[int, int]
"""The first and the last state of a part of the automaton."""

_AT_START, _AT_STOP = "^", "$"


class _Automaton:
    """Thompson's construction, by recursive descent."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0
        # A state has a way by a set of characters, or ways that take none, one of them perhaps only at an end
        # of the name.
        self.steps: list[tuple[frozenset[str], int] | None] = []
        self.free: list[list[int]] = []
        self.guards: list[str | None] = []

    def parse(self) -> _Piece:
        piece = self._alternatives()
        if self.position < len(self.pattern):
            raise self._error("unmatched )")
        return piece

    def matches(self, name: str, start: int, stop: int) -> bool:
        last = len(name)
        states = self._closure([start], is_start=True, is_stop=last == 0)
        for place, character in enumerate(name):
            reached = []
            for state in states:
                step = self.steps[state]
                if step is not None and character in step[0]:
                    reached.append(step[1])
            states = self._closure(reached, is_start=False, is_stop=place + 1 == last)
            if not states:
                return False
        return stop in states

    def _closure(self, states: list[int], *, is_start: bool, is_stop: bool) -> set[int]:
        found: set[int] = set()
        while states:
            state = states.pop()
            if state not in found:
                found.add(state)
                guard = self.guards[state]
                if guard is None or (is_start if guard == _AT_START else is_stop):
                    states.extend(self.free[state])
        return found

    def _error(self, why: str) -> KafkaFault:
        return _invalid(self.pattern, why)

    def _state(self) -> int:
        if len(self.steps) >= STATES_MAX:
            raise self._error("it is too large")
        self.steps.append(None)
        self.free.append([])
        self.guards.append(None)
        return len(self.steps) - 1

    def _peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise self._error("it ends too early")
        self.position += 1
        return character

    def _alternatives(self) -> _Piece:
        self.depth += 1
        if self.depth > 100:
            raise self._error("it nests too deeply")
        start, stop = self._sequence()
        while self._peek() == "|":
            self.position += 1
            other_start, other_stop = self._sequence()
            fork, join = self._state(), self._state()
            self.free[fork] += [start, other_start]
            self.free[stop].append(join)
            self.free[other_stop].append(join)
            start, stop = fork, join
        self.depth -= 1
        return start, stop

    def _sequence(self) -> _Piece:
        start = stop = self._state()
        while (character := self._peek()) and character not in "|)":
            first, last = self._repeated()
            self.free[stop].append(first)
            stop = last
        return start, stop

    def _repeated(self) -> _Piece:
        begin = self.position
        piece = self._atom()
        end = self.position
        bounds = self._bounds()
        if bounds is None:
            return piece
        if self._peek() == "?":
            self.position += 1  # whether few or many are preferred makes no difference to a whole match
        elif self._peek() in ("*", "+"):
            raise self._error("a repetition of a repetition")
        least, most = bounds
        after = self.position
        copies = [piece]

        def copy() -> _Piece:
            # once more from the text: the automaton of a part cannot be shared
            if not copies:
                self.position = begin
                copies.append(self._atom())
                assert self.position == end
                self.position = after
            return copies.pop()

        start = stop = self._state()
        for _ in range(least):
            first, last = copy()
            self.free[stop].append(first)
            stop = last
        if most is None:
            first, last = copy()
            loop = self._state()
            self.free[stop].append(loop)
            self.free[loop].append(first)
            self.free[last].append(loop)
            return start, loop
        finish = self._state()
        for _ in range(most - least):
            self.free[stop].append(finish)
            first, last = copy()
            self.free[stop].append(first)
            stop = last
        self.free[stop].append(finish)
        return start, finish

    def _bounds(self) -> tuple[int, int | None] | None:
        """How often the part before may stand here; None: once, and nothing was read."""
        character = self._peek()
        if character and character in "*+?":
            self.position += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        if character != "{":
            return None
        close = self.pattern.find("}", self.position)
        numbers = self.pattern[self.position + 1 : close].split(",") if close > 0 else []
        if not 1 <= len(numbers) <= 2 or not numbers[0].isdigit() or not (numbers[-1] or "0").isdigit():
            return None  # RE2 takes it for the character
        least = int(numbers[0])
        most = least if len(numbers) == 1 else int(numbers[1]) if numbers[1] else None
        if least > REPEAT_MAX or (most is not None and (most > REPEAT_MAX or most < least)):
            raise self._error("bad repetition count")
        self.position = close + 1
        return least, most

    def _atom(self) -> _Piece:
        character = self._next()
        if character == "(":
            return self._group()
        if character in "*+?":
            raise self._error("nothing to repeat")
        if character in (_AT_START, _AT_STOP):
            return self._guarded(character)
        if character == "[":
            return self._characters(self._class())
        if character == ".":
            return self._characters(_ANY)
        if character == "\\":
            return self._escaped()
        return self._characters(frozenset(character))

    def _characters(self, characters: frozenset[str]) -> _Piece:
        start, stop = self._state(), self._state()
        self.steps[start] = (characters, stop)
        return start, stop

    def _guarded(self, guard: str) -> _Piece:
        start, stop = self._state(), self._state()
        self.guards[start] = guard
        self.free[start].append(stop)
        return start, stop

    def _group(self) -> _Piece:
        if self._peek() == "?":
            rest = self.pattern[self.position :]
            if rest.startswith("?:"):
                self.position += 2
            elif rest.startswith(("?P<", "?<")) and not rest.startswith(("?<=", "?<!")) and ">" in rest:
                self.position += rest.index(">") + 1
            else:
                raise self._error("missing argument or unsupported group")
        piece = self._alternatives()
        if self._peek() != ")":
            raise self._error("missing )")
        self.position += 1
        return piece

    def _escaped(self) -> _Piece:
        character = self._next()
        if character in ("A", "z"):
            return self._guarded(_AT_START if character == "A" else _AT_STOP)
        return self._characters(self._escape(character))

    def _escape(self, character: str) -> frozenset[str]:
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _ESCAPES:
            return frozenset(_ESCAPES[character])
        if character.isalnum():
            raise self._error(f"bad escape \\{character}")
        return frozenset(character)

    def _class(self) -> frozenset[str]:
        is_negated = self._peek() == "^"
        self.position += is_negated
        found: set[str] = set()
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            character = self._next()
            if character == "[" and self._peek() == ":":
                raise self._error("named classes are not supported")
            one = self._escape(self._next()) if character == "\\" else frozenset(character)
            if self._peek() == "-" and self.pattern[self.position + 1 : self.position + 2] not in ("]", ""):
                self.position += 1
                last = self._next()
                if last == "\\":
                    [last] = self._escape(self._next())
                if len(one) != 1 or ord(last) < ord(next(iter(one))):
                    raise self._error("bad character range")
                found.update(map(chr, range(ord(next(iter(one))), min(ord(last), 127) + 1)))
            else:
                found |= one
        self.position += 1
        return _ANY - found if is_negated else frozenset(found)
