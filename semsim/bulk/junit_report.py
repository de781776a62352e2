"""The run of a gate as a JUnit report, which servers of continuous integration show pair by pair."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from semsim.bulk.leakage_gate import GateOutcome
from semsim.bulk.rows import ScoreRow

_NO_CHARACTER = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that a file name may hold and XML may not: a report with one could not be read."""


def junit_report(rows: Sequence[ScoreRow], outcome: GateOutcome, unseen: Sequence[str], command: str) -> str:
    """The report as XML. It has a failure or an error exactly where the gate does not pass.

    Args:
        rows: the pairs of the run, and the files that are in no pair. Those that were not scored are skipped cases.
        outcome: the outcome of the gate.
        unseen: sentences about all that keeps the gate from passing although no leakage is past a limit.
        command: the sub-command whose gate it is.
    """
    suite = Element("testsuite", name=f"semsim {command}")
    is_above = outcome.summary in outcome.reasons
    exceeding = {(row.original, row.reconstruction) for row in outcome.exceeding} if is_above else set()
    for row in rows:
        case = _case(suite, command, f"{row.original or 'no original'} -> {row.reconstruction or 'no reconstruction'}")
        if (row.original, row.reconstruction) in exceeding:
            SubElement(case, "failure", message=f"leakage {row.leakage:.4f}")
        elif row.leakage is None:
            reason = row.error_message or row.uninformative or "the model gives no leakage"
            SubElement(case, "skipped", message=reason)
        else:
            SubElement(case, "system-out").text = f"leakage {row.leakage:.4f}"
    for name, sentences, kind in (("leakage is within its limits", outcome.reasons, "failure"),
                                  ("every pair was seen", unseen, "error")):  # fmt: skip
        case = _case(suite, command, name)
        for sentence in sentences:
            SubElement(case, kind, message=sentence)
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(1 for _ in suite.iter(tag))))
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    xml = _NO_CHARACTER.sub(lambda character: f"\\u{ord(character[0]):04x}", tostring(suites, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml}\n'


def _case(suite: Element, command: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=f"semsim.{command}", name=name)
