"""Stack traces in a log."""

from benchmarks.harness.log import traces_of


def test_stack_traces_are_found_in_plain_and_json_logs() -> None:
    """Stack traces are counted by the error that they end with."""
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nx.Error: 0xabc'
    plain = f"{trace}\nINFO go on\n{trace}\n".encode()
    line = (
        '{"event": "bad", "exception": "' + trace.replace('"', '\\"').replace("\n", "\\n") + '"}\n{"event": "on"}'
    ).encode()
    assert list(traces_of(plain).values()) == [2]
    assert [what.startswith("x.Error: 0x") for what in traces_of(line)] == [True]
    assert not traces_of(b'{"event": "all is well"}\n')
