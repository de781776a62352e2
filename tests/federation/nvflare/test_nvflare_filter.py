"""The filter of NVFLARE: what it sends, what it blocks, and what it tells."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("nvflare", reason="needs the extra nvflare")

from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.filter import ContentBlockedException
from nvflare.apis.fl_constant import FLContextKey, ReturnCode
from nvflare.apis.shareable import Shareable, make_reply

from semsim.exceptions import InvalidConfiguration
from semsim_federation.nvflare import LeakageFilter
from semsim_training.defenses.defense import Defense
from semsim_training.defenses.rules import defend
from tests.federation.nvflare.audited_site import Site, Weights

KINDS = (DataKind.WEIGHTS, DataKind.WEIGHT_DIFF)


def processed(filter: LeakageFilter, dxo: DXO, at: Site) -> DXO | None:
    """Process one DXO as NVFLARE does."""
    return filter.process_dxo(dxo, dxo.to_shareable(), at.context)


NOISE = "gaussian:0.015"


def noised(at: Site) -> Weights:
    """The weights of a client that adds noise to its changes."""
    change = {name: torch.from_numpy(value - at.before[name]) for name, value in at.after.items()}
    return {name: at.before[name] + value.numpy() for name, value in defend(change, Defense(NOISE), 0).items()}


def reported(folder: Path) -> list[dict[str, object]]:
    """The decisions that a site kept."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


@pytest.mark.parametrize("tensors", ["numpy", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_leaking_update_is_blocked(site: Site, kind: str, tensors: str, tmp_path: Path) -> None:
    """An update that gives its picture away is not sent, in each form that clients send, and the site reads why."""
    dxo = site.update(kind)
    if tensors == "torch":
        dxo.data = {name: torch.from_numpy(value) for name, value in dxo.data.items()}
    with pytest.raises(ContentBlockedException, match="the site blocked this update"):
        processed(LeakageFilter(site.client(), reports=str(tmp_path)), dxo, site)
    (decision,) = reported(tmp_path)
    assert decision["sent"] is False
    assert decision["report"]["verdict"] == "leaks"
    assert decision["report"]["round"] == 0
    assert "leaks 1 of 1 image" in decision["reason"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_noised_update_passes(site: Site, kind: str) -> None:
    """An update in which nobody would recognise the picture is sent as it is."""
    assert processed(LeakageFilter(site.client(), applied=NOISE), site.update(kind, noised(site)), site) is None


def test_noise_that_is_not_declared_is_blocked(site: Site) -> None:
    """Where the images do not explain an update and no defense is declared, they may be others: nothing is sent."""
    with pytest.raises(ContentBlockedException):
        processed(LeakageFilter(site.client()), site.update(after=noised(site)), site)


def test_reporting_sends_everything(site: Site, tmp_path: Path) -> None:
    """A filter that reports sends what leaks, and what could not be audited."""
    assert processed(LeakageFilter(site.client(), "report", reports=str(tmp_path / "a")), site.update(), site) is None
    deaf = LeakageFilter(site.client(told=False), "report", reports=str(tmp_path / "b"))
    assert processed(deaf, site.update(), site) is None
    assert [one["report"]["verdict"] for one in reported(tmp_path / "a")] == ["leaks"]
    assert [(one["sent"], one["report"]) for one in reported(tmp_path / "b")] == [(True, None)]


def test_the_client_is_told_of_decisions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each decision reaches the client; an update of which no note can be taken is not sent."""
    client = site.client()
    assert processed(LeakageFilter(client, applied=NOISE), site.update(after=noised(site)), site) is None
    (decision,) = client.decisions
    assert decision.report is not None
    assert decision.report.verdict == "not_shown"
    monkeypatch.setattr(client, "decisions", None)
    with pytest.raises(ContentBlockedException):
        processed(LeakageFilter(client, applied=NOISE), site.update(after=noised(site)), site)


def test_an_empty_answer_tells_nothing_but_that_it_is_empty(site: Site) -> None:
    """With the refusal ``empty`` a DXO of the same kind goes out, without tensors and metrics."""
    sent = processed(LeakageFilter(site.client(), refusal="empty"), site.update(DataKind.WEIGHT_DIFF), site)
    assert sent is not None
    assert (sent.data_kind, sent.data, sent.meta) == (DataKind.WEIGHT_DIFF, {}, {})


@pytest.mark.parametrize("tensors", ["numpy", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_defending_changes_what_leaks(site: Site, kind: str, tensors: str) -> None:
    """The first defense with which nothing leaks is in the sent DXO, whose form stays that of the client's."""
    dxo = site.update(kind)
    if tensors == "torch":
        dxo.data = {name: torch.from_numpy(value) for name, value in dxo.data.items()}
    tries = [NOISE] * 8  # the noise is secret, and after one in some its picture looks like a digit by chance
    sent = processed(LeakageFilter(site.client(), "defend", defenses=tries), dxo, site)
    assert sent is not None
    assert (sent.data_kind, sent.meta, list(sent.data)) == (kind, dxo.meta, list(dxo.data))
    for name, value in sent.data.items():
        assert type(value) is type(dxo.data[name])
        assert value.dtype == dxo.data[name].dtype
    noise = np.asarray(sent.data["hidden.weight"]) - np.asarray(dxo.data["hidden.weight"])
    assert np.std(noise) == pytest.approx(0.015, rel=0.2)


def test_what_cannot_be_compared_is_blocked(site: Site, tmp_path: Path) -> None:
    """Without the weights of the very task, without images, or without all tensors, nothing is sent."""
    unheard, blind, late = site.client(told=False), site.client(picture=False), site.client()
    partial = {name: value for name, value in site.after.items() if name != "classifier.bias"}
    unreadable = DXO(DataKind.WEIGHTS, dict.fromkeys(site.after, b"encrypted"))
    for number, (client, dxo, task) in enumerate([
        (unheard, site.update(), "task-1"),
        (blind, site.update(), "task-1"),
        (late, site.update(), "task-2"),
        (site.client(), site.update(after=partial), "task-1"),
        (site.client(), unreadable, "task-1"),
    ]):  # fmt: skip
        site.context.set_prop("__task_id__", task, private=True, sticky=False)
        with pytest.raises(ContentBlockedException):
            processed(LeakageFilter(client, reports=str(tmp_path / str(number))), dxo, site)
    reasons = [str(reported(tmp_path / str(number))[0]["reason"]) for number in range(5)]
    for expected, reason in zip(
        ("under components", "got none", "task task-2", "classifier.bias", "got bytes"), reasons, strict=True
    ):
        assert expected in reason


def test_the_weights_are_those_before_the_training(site: Site) -> None:
    """A training that changes the received arrays in place changes no copy of the client."""
    client = site.client()
    received = client.received(site.context)
    assert received.round == 0
    assert all(np.array_equal(value, site.before[name]) for name, value in received.weights.items())
    assert not any(np.shares_memory(value, site.before[name]) for name, value in received.weights.items())


def test_a_client_is_found_by_its_name(site: Site, tmp_path: Path) -> None:
    """The client may be a component; another component, or none, blocks."""
    site.engine.components = {"audited_client": site.client(), "other": object()}
    assert processed(LeakageFilter(applied=NOISE), site.update(after=noised(site)), site) is None
    for name, told in (("other", "got object"), ("missing", "got NoneType")):
        with pytest.raises(ContentBlockedException):
            processed(LeakageFilter(name, reports=str(tmp_path / name)), site.update(after=noised(site)), site)
        assert told in str(reported(tmp_path / name)[0]["reason"])


def test_other_kinds_of_data_are_blocked(site: Site) -> None:
    """Metrics pass, and kinds that the site names; what the audit cannot read does not."""
    metrics, other = DXO(DataKind.METRICS, {"loss": 1.0}), DXO(DataKind.APP_DEFINED, {"weights": [1.0]})
    assert processed(LeakageFilter(site.client()), metrics, site) is None
    assert processed(LeakageFilter(site.client(), passes=["APP_DEFINED"]), other, site) is None
    with pytest.raises(ContentBlockedException):
        processed(LeakageFilter(site.client()), other, site)
    with pytest.raises(ContentBlockedException):
        processed(LeakageFilter(site.client(), passes=[]), metrics, site)


@pytest.mark.parametrize("value", [np.ones(3), np.ones(()), torch.ones(1), [1.0], {"deep": 1.0}, b"1", "1", None])
def test_metrics_pass_only_as_plain_numbers(site: Site, value: object, tmp_path: Path) -> None:
    """Weights are not sent under the name of metrics, even where the site names the kind."""
    plain = {"loss": np.float32(1), "images": 8, "top": 0.5}
    for passes in (None, ["METRICS"]):
        guarding = LeakageFilter(site.client(), passes=passes, reports=str(tmp_path))
        assert processed(guarding, DXO(DataKind.METRICS, plain), site) is None
        with pytest.raises(ContentBlockedException):
            processed(guarding, DXO(DataKind.METRICS, plain | {"w": value}), site)
    decisions = reported(tmp_path)
    assert len(decisions) == 2  # though nobody knows their rounds
    assert all("expected plain numbers as METRICS" in str(decision["reason"]) for decision in decisions)
    held = DXO(DataKind.METRICS, {"w": value})
    assert processed(LeakageFilter(site.client(), "report"), held, site) is None


@pytest.mark.parametrize("options", [{"action": "block"}, {"action": "defend", "defenses": ["gaussian:0.015"]}])
def test_a_result_that_tells_of_a_failure_loses_its_data(site: Site, options: dict[str, object]) -> None:
    """A result with another return code than OK is sent as that code alone, without weights and other headers."""
    guarding = LeakageFilter(site.client(), **options)
    for code in (ReturnCode.TASK_ABORTED, ReturnCode.EXECUTION_EXCEPTION, "CODE_OF_AN_EXECUTOR"):
        failed, headed = site.update().to_shareable(), make_reply(code, {"weights": site.after})
        failed.set_return_code(code)
        assert guarding.process(failed, site.context) == make_reply(code)
        assert guarding.process(headed, site.context) == make_reply(code)
        assert LeakageFilter(site.client(), "report").process(failed, site.context) is failed


def test_a_result_without_a_dxo_is_blocked(site: Site) -> None:
    """NVFLARE's filters let a result pass that is no DXO; this one does not, unless it is empty or an error."""
    smuggled = Shareable({"weights": site.after})
    with pytest.raises(ContentBlockedException):
        LeakageFilter(site.client()).process(smuggled, site.context)
    assert LeakageFilter(site.client(), "report").process(smuggled, site.context) is smuggled
    for reply in (make_reply(ReturnCode.OK), make_reply(ReturnCode.EXECUTION_EXCEPTION)):
        assert LeakageFilter(site.client()).process(reply, site.context) is reply


def hiding(at: Site, where: str, value: object) -> Shareable:
    """A reply that an honest client could send, with a value outside of its update."""
    dxo = at.update(after=noised(at))
    if where == "collection":
        dxo = DXO(DataKind.COLLECTION, {"good": dxo}, meta={"hidden": value})
    elif where == "metrics":
        dxo = DXO(DataKind.METRICS, {"loss": 1.0}, meta={"hidden": value})
    elif where == "empty":
        dxo = DXO(DataKind.WEIGHTS, {}, meta={"hidden": value})
    elif where == "meta":
        dxo.meta["hidden"] = {"deep": [value]}
    reply = dxo.to_shareable()
    if where == "headers":
        reply.set_header("hidden", value)
    elif where == "beside":
        reply["hidden"] = value
    elif where == "in the dxo":
        reply["DXO"]["hidden"] = value
    return reply


PLACES = ("meta", "metrics", "empty", "collection", "headers", "beside", "in the dxo")


@pytest.mark.parametrize("where", PLACES)
def test_no_tensors_pass_beside_an_update(site: Site, where: str, tmp_path: Path) -> None:
    """A reply that holds arrays or bytes outside of the data that is audited is blocked, and the site reads why."""
    for number, value in enumerate((site.after["hidden.weight"], torch.ones(2), b"weights", [0.5] * 1001)):
        kept, reply = tmp_path / str(number), hiding(site, where, value)
        with pytest.raises(ContentBlockedException):
            LeakageFilter(site.client(), applied=NOISE, reports=str(kept)).process(reply, site.context)
        (decision,) = reported(kept)
        assert "beside an update" in str(decision["reason"])
        assert LeakageFilter(site.client(), "report").process(reply, site.context) is reply
    empty = LeakageFilter(site.client(), applied=NOISE, refusal="empty")
    sent = empty.process(hiding(site, where, site.after["hidden.weight"]), site.context)
    assert (from_shareable(sent).data, from_shareable(sent).meta) == ({}, {})
    assert set(sent) == {"DXO", "__headers__"}
    assert set(sent["__headers__"]) == {"__content_type__"}
    plain = hiding(site, where, 1.0)
    assert LeakageFilter(site.client(), applied=NOISE).process(plain, site.context) is plain


@pytest.mark.parametrize("value", ["w" * 20_000, 1 << 20_000], ids=["text", "number"])
def test_tensors_that_are_written_otherwise_are_blocked(site: Site, value: object, tmp_path: Path) -> None:
    """A text or a whole number beside an update is no longer than what clients tell in it."""
    with pytest.raises(ContentBlockedException):
        LeakageFilter(site.client(), reports=str(tmp_path)).process(hiding(site, "meta", value), site.context)
    (decision,) = reported(tmp_path)
    assert "expected at most 10000 characters or bits beside an update" in str(decision["reason"])


def test_metrics_are_few(site: Site, tmp_path: Path) -> None:
    """A thousand numbers by name could be the weights themselves."""
    few, many = (DXO(DataKind.METRICS, {f"w{at}": 0.5 for at in range(n)}).to_shareable() for n in (400, 5000))
    assert LeakageFilter(site.client()).process(few, site.context) is few
    with pytest.raises(ContentBlockedException):
        LeakageFilter(site.client(), reports=str(tmp_path)).process(many, site.context)
    (decision,) = reported(tmp_path)
    assert "expected at most 1000 numbers and texts" in str(decision["reason"])


def test_numbers_and_texts_pass_beside_an_update(site: Site) -> None:
    """Metadata that NVFLARE and its clients send pass as they are."""
    dxo = site.update(after=noised(site))
    dxo.meta |= {"NUM_STEPS_CURRENT_ROUND": 4, "filter_history": ["Other"], "top": np.float32(0.5), "none": None}
    reply = dxo.to_shareable()
    reply.set_header("current_round", 3)
    sent = LeakageFilter(site.client(), applied=NOISE).process(reply, site.context)
    assert from_shareable(sent).meta["initial_metrics"] == {"loss": 1.0}
    assert sent.get_header("current_round") == 3


def test_no_tensors_pass_in_a_reply_without_a_dxo_or_in_a_collection(site: Site) -> None:
    """NVFLARE's own filters look at neither: a reply of headers alone, and a part of a collection that is no DXO."""
    headed = make_reply(ReturnCode.OK)
    headed.set_header("hidden", site.after)
    parts = DXO(DataKind.COLLECTION, {"good": site.update(after=noised(site)), "bad": site.after["hidden.weight"]})
    for reply in (headed, parts.to_shareable()):
        with pytest.raises(ContentBlockedException):
            LeakageFilter(site.client(), applied=NOISE).process(reply, site.context)


def test_a_collection_is_filtered_part_by_part(site: Site) -> None:
    """A leaking update inside a collection is found, and the others keep their place."""
    parts = {"good": site.update(after=noised(site)), "bad": site.update()}
    guarding = LeakageFilter(site.client(), refusal="empty", applied=NOISE)
    sent = from_shareable(guarding.process(DXO(DataKind.COLLECTION, parts).to_shareable(), site.context))
    assert sent.data["good"].data
    assert not sent.data["bad"].data


def test_every_counts_updates_and_not_the_rounds_of_the_server(site: Site, tmp_path: Path) -> None:
    """The first update and every second after it are audited, whatever number the server gives the rounds."""
    client = site.client()
    guarding = LeakageFilter(client, refusal="empty", every=2, reports=str(tmp_path))
    sent = []
    for number in (1, 1, 3, 7):
        site.begin(client, round=number)
        answer = processed(guarding, site.update(), site)
        sent.append(answer is None)
    assert sent == [False, True, False, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job-site-1-1.json", "job-site-1-3.json"]


def test_every_counts_each_kind_of_task_and_no_parts(site: Site) -> None:
    """Neither a collection nor tasks of another kind in between choose the updates that are audited."""
    client = site.client()
    guarding = LeakageFilter(client, refusal="empty", every=2)
    for number, name in enumerate(("train", "other", "train", "other", "train")):
        site.begin(client, task=f"task-{number}")
        site.context.set_prop(FLContextKey.TASK_NAME, name, private=True, sticky=False)
        parts = [processed(guarding, site.update(), site) is None for _ in range(2)]
        assert parts == [number in (2, 3)] * 2
    told = site.client(told=False)
    with pytest.raises(ContentBlockedException):  # an update without global weights is not sent unaudited
        processed(LeakageFilter(told, every=2), site.update(), site)


@pytest.mark.parametrize("tell", [False, True])
def test_the_log_tells_the_verdict_only_where_the_site_says_so(
    site: Site, tell: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """NVFLARE can stream its log to the server, which the verdict would tell whom to attack."""
    with caplog.at_level(logging.INFO), pytest.raises(ContentBlockedException):
        processed(LeakageFilter(site.client(), tell=tell), site.update(), site)
    assert "blocked an update" in caplog.text
    assert ("leaks 1 of 1 image" in caplog.text) is tell


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"refusal": "silence"}, "expected the refusal error or empty, got silence"),
        ({"every": 0}, "expected a whole number of updates of at least 1, got 0"),
    ],
)
def test_mistakes_in_the_configuration_are_told_at_once(arguments: dict[str, object], expected: str) -> None:
    """A filter that cannot work is not made, so that NVFLARE does not begin the job."""
    with pytest.raises(InvalidConfiguration, match=expected):
        LeakageFilter(**arguments)
