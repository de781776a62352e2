"""Stack traces: in the service's log, and in what a client was told."""

import re
from collections import Counter

_PARTS = (b"Traceback", b'File "', b"site-packages", b".py", b"Error:")
_BEGIN = "Traceback (most recent call last)"
_ERROR = re.compile(r"[A-Za-z_][\w.]*(: |$|\")")
_ADDRESS = re.compile(r"0x[0-9a-f]+")


def traces_in(text: bytes) -> list[bytes]:
    """Parts of a stack trace in what a client was told."""
    return [part for part in _PARTS if part in text]


def traces_of(log: bytes) -> Counter[str]:
    """The stack traces of the service's log, by the place and the error with which they end."""
    traces: Counter[str] = Counter()
    # In a line of JSON a trace is a string, its line ends escaped.
    text = log.decode(errors="replace").replace("\\n", "\n").replace('\\"', '"')
    for trace in text.split(_BEGIN)[1:]:
        place = error = None
        for line in trace.splitlines()[1:]:
            if error is None and line.lstrip(" |").startswith("File "):
                place = line.lstrip(" |")
            elif error is None and _ERROR.match(line):
                error = line.partition('"}')[0]
        traces[_ADDRESS.sub("0x", f"{error} at {place}")] += 1
    return traces
