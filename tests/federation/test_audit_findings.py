"""The findings of ``semsim audit run``: what failed or was not run is never a low value."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

from semsim_federation.audit_run.audit_cells import Axis, Cell, along, base_of, in_order
from semsim_federation.audit_run.audit_charts import in_percent, leakage_chart
from semsim_federation.audit_run.audit_config import AuditAxes, AuditConfiguration
from semsim_federation.audit_run.audit_findings import AuditFindings, CellFindings
from semsim_federation.audit_run.audit_journal import BrokenAudit, ClientAudit, TrainedModel
from semsim_federation.audit_run.audit_wording import other_ways, reasons, verdict_sentence
from semsim_federation.audit_run.client_data import DealtImages, HeldImages, deal
from semsim_federation.audit_run.line_chart import ChartPlace, LineChart
from semsim_federation.audit_run.shown_pictures import gallery
from semsim_federation.audit_run.simulated_clients import client_update, course
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageVerdict
from semsim_training.client_images.normalisation import normalise
from semsim_training.defenses.defense import NO_DEFENSE, Defense
from tests.federation.test_audit_run import SMALL

LEAKS, NOT_SHOWN, COULD_NOT_TELL = LeakageVerdict
BASE = Cell(1, 1, NO_DEFENSE, 0)


def configuration(**changes: object) -> AuditConfiguration:
    """The small configuration, with changes."""
    return AuditConfiguration.model_validate(SMALL | changes)


def audit(verdict: LeakageVerdict, client: int, leaked: tuple[bool, ...], cell: Cell = BASE) -> ClientAudit:
    """The audit of a client whose images leaked or did not."""
    untold = verdict is COULD_NOT_TELL
    images = tuple(
        ImageLeakage(0.1 if untold else 0.2 + 0.7 * one, one, 0.01, one, one, 1.0, 9.0, "smooth") for one in leaked
    )
    attempt = Attempt("smooth", "nothing_found" if untold else "matched", 0.05 if untold else 0.9, 0.9, 1.0, "")
    doubts = ("another told it 3 times",) if untold else ()
    return ClientAudit(
        cell=cell.key, client=client, verdict=verdict, images=images, pictures=(None,) * len(images), seconds=1.0,
        attempts=(attempt,), doubts=doubts, luck=0.01, controls=150, control_mean=0.1,
    )  # fmt: skip


def findings_of(*audits: ClientAudit, broken: tuple[BrokenAudit, ...] = (), planned: int = 4) -> CellFindings:
    """The findings of one cell."""
    return CellFindings(BASE, audits, broken, planned)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([NOT_SHOWN] * 4, NOT_SHOWN),
        ([NOT_SHOWN] * 3, COULD_NOT_TELL),
        ([NOT_SHOWN] * 3 + [COULD_NOT_TELL], COULD_NOT_TELL),
        ([NOT_SHOWN, COULD_NOT_TELL, LEAKS], LEAKS),
        ([], COULD_NOT_TELL),
    ],
)
def test_a_cell_is_not_shown_to_leak_only_where_every_client_is(
    verdicts: list[LeakageVerdict], expected: LeakageVerdict
) -> None:
    """One client that leaks is a leak; one that is missing could not be told."""
    audits = [audit(one, number, (one is LEAKS,)) for number, one in enumerate(verdicts)]
    assert findings_of(*audits).verdict is expected


def test_what_could_not_be_told_is_a_range() -> None:
    """Clients that could not be told, broke off or were not run count as none and as all of their images."""
    one = findings_of(
        audit(LEAKS, 0, (True, False)),
        audit(COULD_NOT_TELL, 1, (False, False)),
        broken=(BrokenAudit(cell=BASE.key, client=2, reason="x"),),
    )
    assert dict(one.counts) == {"leaks": 1, "not_shown": 0, "could_not_tell": 1, "failed": 1, "not_run": 1}
    assert one.share is not None
    assert one.share.value == 0.5
    assert one.possible == (0.125, 0.875)
    assert one.leakage is not None
    assert one.leakage.value == pytest.approx(0.55)  # the leakage of the client that could not be told is left out
    assert findings_of(audit(COULD_NOT_TELL, 0, (False,))).leakage is None


def test_an_image_that_is_recognizable_and_hardly_by_luck_can_have_leaked() -> None:
    """Beside another image that leaks, an image of which an audit alone could not tell is not counted as kept."""
    one = audit(LEAKS, 0, (True, False))
    unsure = replace(one.images[1], recognizable=True, chance=0.03, unsure=True)
    assert findings_of(one.model_copy(update={"images": (one.images[0], unsure)}), planned=1).possible == (0.5, 1.0)
    lucky = replace(unsure, chance=0.2, unsure=False)
    assert findings_of(one.model_copy(update={"images": (one.images[0], lucky)}), planned=1).possible == (0.5, 0.5)


def test_few_clients_that_agree_are_not_certain() -> None:
    """Four of four clients that leak allow for one of two that does not."""
    share = findings_of(*(audit(LEAKS, number, (True,)) for number in range(4))).share
    assert share is not None
    assert in_percent(share) == "100% (51\N{EN DASH}100)"


def test_cells_come_in_the_order_of_their_importance() -> None:
    """The cells that the verdict rests on come first, then defenses, then batches and steps in turn."""
    axes = AuditAxes.model_validate(
        {"batches": [2, 1, 4], "epochs": [1, 3], "defenses": ["none", "sign"], "rounds": [0, 7]}
    )
    assert [one.key for one in in_order(axes)] == [
        "b2 e1 none r0", "b2 e1 none r7", "b2 e1 sign r0", "b1 e1 none r0", "b2 e3 none r0", "b4 e1 none r0",
    ]  # fmt: skip
    assert [one.batch for one in along(axes, Axis.BATCH)] == [1, 2, 4]
    assert base_of(axes).batch == 2


class Lines:
    """A journal in memory."""

    def __init__(self, *audits: ClientAudit, trained: tuple[TrainedModel, ...] = ()) -> None:
        self.audits = {(one.cell, one.client): one for one in audits}
        self.broken: dict[tuple[str, int], BrokenAudit] = {}
        self.trained = {(one.defense, one.seed): one for one in trained}


def test_the_verdict_is_about_the_way_in_which_clients_take_part() -> None:
    """Another batch that leaks is told beside a verdict that is about the declared one, in all its rounds."""
    chosen = configuration(axes={"batches": [4, 1], "rounds": [0, 2]})
    cells = in_order(chosen.axes)
    audits = [audit(LEAKS if one.batch == 1 else NOT_SHOWN, c, (one.batch == 1,), one) for one in cells for c in (0, 1)]
    findings = AuditFindings.of(chosen, Lines(*audits))
    assert findings.verdict is NOT_SHOWN
    assert verdict_sentence(findings).startswith("None of 4 audited updates is shown to leak by these attacks.")
    assert "1 with a client that leaks" in other_ways(findings)
    late = AuditFindings.of(chosen, Lines(*(one for one in audits if one.cell != cells[1].key)))
    assert late.verdict is COULD_NOT_TELL
    assert verdict_sentence(late).endswith("2 not shown to leak by these attacks, 2 not run.")


def test_what_is_identified_without_being_recognizable_is_told(dealt: DealtImages) -> None:
    """Only a look settles whether people recognise it: neither the sentence nor the caption passes it by."""
    one = audit(NOT_SHOWN, 0, (False,))
    image = replace(one.images[0], identified=True)
    one = one.model_copy(update={"images": (image,), "pictures": ("x",)})
    findings = AuditFindings.of(configuration(clients=1, axes={}), Lines(one))
    assert findings.verdict is NOT_SHOWN
    assert "But 1 image is identified" in verdict_sentence(findings)
    assert gallery(findings, dealt)[0].pictures[0].told == "leakage 0.20, identified"


def test_the_cost_of_a_defense_is_paired_by_seed() -> None:
    """Differences are between trainings with the same seed, and a training that diverged is told."""
    trained = (
        TrainedModel(defense="none", seed=0, accuracy=(0.1, 0.2, 0.8)),
        TrainedModel(defense="none", seed=1, accuracy=(0.1, 0.3, 0.6)),
        TrainedModel(defense="gaussian:0.3", seed=0, accuracy=(0.1, 0.1, 0.7)),
        TrainedModel(defense="gaussian:0.3", seed=1, accuracy=(), reason="expected a finite update"),
    )
    findings = AuditFindings.of(configuration(), Lines(trained=trained))
    plain, noisy = findings.costs
    assert plain.change is None
    assert plain.accuracy is not None
    assert plain.accuracy.value == pytest.approx(0.7)
    assert plain.accuracy.interval is not None
    assert (plain.accuracy.interval.low, plain.accuracy.interval.high) == (0, 1)  # Student's, of two seeds
    assert noisy.change is not None
    assert (noisy.change.value, noisy.change.interval) == (pytest.approx(-0.1), None)
    assert noisy.diverged == ("expected a finite update",)
    assert dict(findings.accuracy_by_round) == {0: 0.1, 2: 0.8}


def test_reasons_that_differ_in_numbers_are_one() -> None:
    """A reason is told once, with how often it came."""
    chosen = configuration()
    one = audit(COULD_NOT_TELL, 0, (False,))
    other = audit(COULD_NOT_TELL, 1, (False,)).model_copy(update={"doubts": ("another told it 4 times",)})
    findings = AuditFindings.of(chosen, Lines(one, other))
    assert reasons(findings) == [("could not tell: another told it 3 times", 2)]


def test_a_chart_shows_what_could_not_be_told() -> None:
    """A place without marks has a range over the whole height, and lines do not cross it."""
    chosen = configuration(axes={"batches": [1, 2, 4]})
    one, two, four = along(chosen.axes, Axis.BATCH)
    audits = [audit(LEAKS, c, (True,), cell) for cell in (one, four) for c in (0, 1)]
    audits += [audit(COULD_NOT_TELL, c, (False, False), two) for c in (0, 1)]
    chart = leakage_chart(AuditFindings.of(chosen, Lines(*audits)), Axis.BATCH, 0.42)
    assert chart.places[1].marks == ()
    assert chart.places[1].unknown == (0, 1)
    assert chart.places[1].unknown_told == "0% to 100% of the images can have leaked; told of 0 of 2 clients"
    root = ET.fromstring(chart.svg())  # noqa: S314  # our own
    assert len(root.findall("rect")) == 1
    assert not [line for line in root.findall("line") if line.get("class", "").startswith("join")]


def test_labels_of_a_chart_are_broken_and_escaped() -> None:
    """A long label has two lines; signs of markup are text."""
    places = (ChartPlace("clip:1.0+gaussian:0.001+sign", ()), *(ChartPlace(f"<{n}>", ()) for n in range(4)))
    svg = LineChart("x", '"quoted"', "axis", places, ("share",), joined=True).svg()
    texts = [text.text for text in ET.fromstring(svg).findall("text")]  # noqa: S314  # our own
    assert "clip:1.0+" in texts
    assert "gaussian:0…" in texts
    assert "<3>" in texts


def test_captions_tell_no_leakage_of_what_could_not_be_told(dealt: DealtImages) -> None:
    """A low leakage of an update that no attack explained is not shown; a likeness by luck is not called a leak."""
    lucky = replace(audit(NOT_SHOWN, 2, (False,)).images[0], leakage=0.6, recognizable=True)
    audits = [
        audit(LEAKS, 0, (True, False)),
        audit(COULD_NOT_TELL, 1, (False,)),
        audit(NOT_SHOWN, 2, (False,)).model_copy(update={"images": (lucky,)}),
    ]
    shown = [one.model_copy(update={"pictures": ("x",) * len(one.images)}) for one in audits]
    row, *_ = gallery(AuditFindings.of(configuration(clients=3), Lines(*shown)), dealt)
    captions = {picture.told for picture in row.pictures}
    expected = {"leakage 0.90, leaked", "leakage 0.20, not shown to leak", "leakage 0.60, not identified"}
    assert captions == expected | {"could not tell"}


@pytest.fixture(scope="module")
def dealt() -> DealtImages:
    """The images of the small configuration."""
    return deal(configuration(), configuration().model.load(None).inputs)  # type: ignore[arg-type]


def test_no_image_is_in_two_places(dealt: DealtImages) -> None:
    """Audited clients, the test, the training and the controls hold different images, the same for the same seed."""
    parts = [*(held.images for held in dealt.clients), dealt.test.images, dealt.training.images]
    parts.append(np.stack(dealt.controls))
    names = [image.tobytes() for part in parts for image in part]
    assert len(names) == 400
    assert len(set(names)) > 395  # the data set holds a few twins
    assert [len(held) for held in dealt.clients] == [2, 2]
    again = deal(configuration(), configuration().model.load(None).inputs)  # type: ignore[arg-type]
    assert again.sha256 == dealt.sha256
    assert deal(configuration(seed=1), configuration().model.load(None).inputs).sha256 != dealt.sha256  # type: ignore[arg-type]


def test_a_round_is_the_mean_of_its_clients(dealt: DealtImages) -> None:
    """One round of one client is its update, and a defense of it shows in the weights."""
    chosen = configuration(federation={"rounds": 1, "clients": 1, "images": 4, "test_images": 50}, axes={"epochs": [2]})
    victim = chosen.model.load(None)  # type: ignore[arg-type]
    four = DealtImages("x", dealt.clients, dealt.training.take(slice(4)), dealt.test, dealt.controls, "")
    trained = course(chosen, victim, four, NO_DEFENSE, 0, keep=(0, 1))
    model = trained.networks[0]
    pixels, labels = normalise(four.training.images, victim.inputs), torch.from_numpy(four.training.labels)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(pixels), labels).backward()
        optimiser.step()
    for one, other in zip(model.parameters(), trained.networks[1].parameters(), strict=True):
        torch.testing.assert_close(one.data, other.data, rtol=1e-4, atol=1e-6)
    assert len(trained.accuracy) == 2
    victim = chosen.model.load(None)  # type: ignore[arg-type]
    pruned = course(chosen, victim, four, Defense("prune:0.9"), 0, keep=(1,)).networks[1]
    moved = [(a != b).float().mean() for a, b in zip(victim.model.parameters(), pruned.parameters(), strict=True)]
    assert max(moved) <= 0.125  # of 16 biases, two


def test_clients_with_batch_statistics_send_them() -> None:
    """The change of running statistics comes with the change of weights, and an audit takes it."""
    network = {"architecture": "resnet20", "width": 4, "classes": 10, "size": 16}
    chosen = configuration(model={"network": network}, batchnorm="train")
    victim = chosen.model.load(None)  # type: ignore[arg-type]
    held = HeldImages(np.zeros((2, 16, 16, 3), np.uint8), np.array([1, 2]))
    update = client_update(chosen, victim, held, 1, NO_DEFENSE, 0)
    moved = [name for name in update if name.endswith("running_mean")]
    assert moved
    assert update[moved[0]].any()
