"""What came of malformed inputs: counts by kind and outcome, and the faults."""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from benchmarks.endurance.load.http_wire import HTTPAnswer
from semsim.exceptions import ErrorCode

TRACES = (b"Traceback", b'File "', b"site-packages", b".py", b"Error:")
"""What a stack trace would show."""
_DOCUMENTED = {503: "not_ready", 504: "timeout"}
"""The only answers of 500 and above that are no fault, and their codes."""
_CODES = frozenset(code.value for code in ErrorCode)
_KEPT = 3
_TRACE = "Traceback (most recent call last)"
_ERROR = re.compile(r"[A-Za-z_][\w.]*(: |$|\")")
_ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass
class Findings:
    """Of one run."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind of input and outcome."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """That sending each kind took."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that were refused, and got a moment later."""
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What was wrong, and the inputs that brought it about."""

    def count(self, kind: str, outcome: str) -> None:
        """Note how an input ended."""
        self.outcomes[kind, outcome] += 1

    def fault(self, where: str, what: str) -> None:
        """Note that an input, or a block of them, did what none may."""
        self.faults[what].append(where)

    def told(self) -> list[str]:
        """The faults, each with how often it was and where first."""
        return [f"{len(places)} times, {', '.join(places[:_KEPT])}: {what}" for what, places in self.faults.items()]

    def kinds(self) -> dict[str, Counter[str]]:
        """Outcomes by kind, in the order in which they came."""
        found: dict[str, Counter[str]] = {}
        for (kind, outcome), count in self.outcomes.items():
            found.setdefault(kind, Counter())[outcome] += count
        return found


def describe(answer: HTTPAnswer) -> str:
    """An HTTP answer in a word or two: its status and code."""
    code = _code(answer.body) if answer.status >= 400 else None
    return f"{answer.status} {code}" if code else str(answer.status)


def http_fault(answer: HTTPAnswer, *, enveloped: bool) -> str | None:
    """What is wrong with an answer to whatever was sent; ``enveloped`` where an error must carry its code."""
    code = _code(answer.body)
    if 200 < answer.status < 400:
        return f"{answer.status} to {answer.headers.get('location', 'nowhere')[:200]}"
    if answer.status >= 500 and _DOCUMENTED.get(answer.status) != code:
        return f"{answer.status} {answer.body[:200]!r}"
    everything = answer.body + "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    if shown := traces_in(everything):
        return f"{answer.status} shows {shown}"
    if enveloped and answer.status >= 400 and code not in _CODES:
        return f"{answer.status} without the envelope: {answer.body[:200]!r}"
    return None


def traces_in(text: bytes) -> list[bytes]:
    """Parts of a stack trace in what a client was told."""
    return [trace for trace in TRACES if trace in text]


def traces_of(log: bytes) -> Counter[str]:
    """The stack traces of the service's log, by the place and the error with which they end."""
    found: Counter[str] = Counter()
    place = error = None
    # In a line of JSON a trace is a string, its line ends escaped.
    for line in log.decode(errors="replace").replace("\\n", "\n").replace('\\"', '"').splitlines():
        if _TRACE in line:
            found.update(_trace(place, error))
            place, error = "", None
        elif place is not None and line.lstrip(" |").startswith("File "):
            place = line.lstrip(" |")
        elif place is not None and error is None and _ERROR.match(line):
            error = line.partition('"}')[0]
    found.update(_trace(place, error))
    return found


def _trace(place: str | None, error: str | None) -> list[str]:
    return [] if place is None else [_ADDRESS.sub("0x", f"{error} at {place}")]


def _code(body: bytes) -> str | None:
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if isinstance(code, str) else None
