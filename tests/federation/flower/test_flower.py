"""The guard and the probe under Flower's FedAvg, with clients in this process."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from .conftest import HAS_FLOWER

if not HAS_FLOWER:
    pytest.skip("Flower is not installed here: make test-flower", allow_module_level=True)

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import LocalDpMod
from flwr.common.constant import ErrorCode
from flwr.serverapp.strategy import FedAvg, Result
from leakage_app import task

from semsim.exceptions import InvalidConfiguration
from semsim_federation import Audit, Decision, LeakageReport, LeakageVerdict, LocalTraining
from semsim_federation.flower import LeakageGuard, leakage_probe

from .local_grid import LocalGrid

REFUSAL = "The client's leakage guard did not send this update."


@pytest.fixture(autouse=True, scope="module")
def digits() -> Iterator[None]:
    """The example's digits, whatever images this machine has."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SEMSIM_DATA", "")
    yield
    patch.undo()


def batch(ctx: Context) -> tuple[np.ndarray, Sequence[int]]:
    """The image of a client in all rounds."""
    return task.client_batch(int(ctx.node_config["partition-id"]), 1)


def trained(msg: Message, ctx: Context) -> Message:
    """Reply as an honest client does."""
    weights = {name: array.numpy() for name, array in msg.content.array_records["arrays"].items()}
    after = ArrayRecord({name: Array(value) for name, value in task.train(weights, *batch(ctx)).items()})
    return Message(RecordDict({"arrays": after, "metrics": MetricRecord({"num-examples": 1})}), reply_to=msg)


def app_with(*mods: Any, train: Callable[[Message, Context], Message] = trained) -> ClientApp:
    """An app whose clients have these mods."""
    app = ClientApp()
    app.train(mods=list(mods))(train)
    return app


def run(
    app: ClientApp, rounds: int = 1, nodes: int = 2, evaluate: Any = None, **run_config: Any
) -> tuple[Result, LocalGrid]:
    """A run of FedAvg."""
    grid = LocalGrid(app, nodes, run_config)
    strategy = FedAvg(min_train_nodes=nodes, min_available_nodes=nodes, fraction_evaluate=0.0)
    arrays = ArrayRecord(task.initial_network().state_dict())
    return strategy.start(grid, arrays, num_rounds=rounds, evaluate_fn=evaluate), grid


def guard(**options: Any) -> LeakageGuard:
    """A guard that audits the example's training."""
    return LeakageGuard(lambda ctx: task.audit(), batch, **options)


def errors(grid: LocalGrid) -> list[str]:
    """The reasons of all refusals, which all are failed preconditions of a mod."""
    refused = [reply.error for reply in grid.replies if reply.has_error()]
    assert {error.code for error in refused} <= {ErrorCode.MOD_FAILED_PRECONDITION}
    return [error.reason or "" for error in refused]


def test_report_sends_everything_and_tells_the_server_nothing() -> None:
    """The replies are those of the client, and the report stays on the client."""
    decisions: list[Decision] = []
    result, grid = run(app_with(guard(record=lambda ctx, decision: decisions.append(decision))))
    assert not errors(grid)
    assert len(result.arrays) == 4
    assert [decision.report.verdict for decision in decisions if decision.report] == [LeakageVerdict.LEAKS] * 2
    assert all(set(reply.content) == {"arrays", "metrics"} for reply in grid.replies)


def test_block_sends_nothing_and_every_refusal_is_alike() -> None:
    """All clients blocked in all rounds: the run ends, without arrays, and the reasons say nothing of the images."""
    result, grid = run(app_with(guard(action="block")), rounds=2)
    assert errors(grid) == [REFUSAL] * 4
    assert not result.arrays


def test_defend_sends_noisy_weights() -> None:
    """An update that the ladder defends differs from the trained one by the noise's standard deviation."""
    _, grid = run(app_with(guard(action="defend", defenses=["gaussian:0.01"])))
    assert not errors(grid)
    weights = {name: value.detach().numpy() for name, value in task.initial_network().state_dict().items()}
    for reply in grid.replies:
        plain = task.train(weights, *task.client_batch(reply.metadata.src_node_id - 1, 1))
        noise = reply.content["arrays"]["hidden.weight"].numpy() - plain["hidden.weight"]
        assert 0.0095 < noise.std() < 0.0105


def test_the_guard_outside_of_noise_sees_it() -> None:
    """LocalDpMod behind the guard in the list acts first. Nothing explains its noise, so that it is blocked.

    Before the guard in the list it acts on what the guard has passed.
    """
    noise = LocalDpMod(clipping_norm=1.0, sensitivity=1.0, epsilon=1000.0, delta=1e-5)
    decisions: list[Decision] = []
    behind = guard(action="block", record=lambda ctx, decision: decisions.append(decision))
    _, grid = run(app_with(behind, noise))
    assert len(errors(grid)) == 2
    assert [decision.report.verdict for decision in decisions if decision.report] == [LeakageVerdict.COULD_NOT_TELL] * 2
    decisions.clear()
    run(app_with(noise, guard(record=lambda ctx, decision: decisions.append(decision))))
    assert [decision.report.verdict for decision in decisions if decision.report] == [LeakageVerdict.LEAKS] * 2


def test_tell_adds_a_config_record_that_fedavg_takes() -> None:
    """With ``tell`` on one client alone the run goes on: telemetry is no MetricRecord, which must be alike on all."""
    telling, silent = guard(tell=True), guard()

    def either(msg: Message, ctx: Context, call_next: Any) -> Message:
        return (silent if ctx.node_config["partition-id"] else telling)(msg, ctx, call_next)

    result, grid = run(app_with(either))
    assert len(result.arrays) == 4
    told = [reply.content["leakage"] for reply in grid.replies if "leakage" in reply.content]
    assert len(told) == 1
    assert isinstance(told[0], ConfigRecord)
    assert told[0]["verdict"] == "leaks"
    assert told[0]["leakage-max"] > 0.9


def test_options_come_from_the_run_and_before_it_from_the_node() -> None:
    """``leakage.action`` of the run changes the app's, and the node's own goes before the run's."""
    app = app_with(guard())
    _, grid = run(app, **{"leakage.action": "block", "leakage.tell": True})
    assert all(reason.startswith(f"{REFUSAL} This update leaks 1 of 1 image") for reason in errors(grid))
    assert len(errors(grid)) == 2
    grid = LocalGrid(app, 1, {"leakage.action": "report"})
    grid.contexts[1].node_config["leakage.action"] = "block"
    arrays = ArrayRecord(task.initial_network().state_dict())
    FedAvg(min_train_nodes=1, min_available_nodes=1, fraction_evaluate=0.0).start(grid, arrays, num_rounds=1)
    assert errors(grid) == [REFUSAL]


def test_the_ladder_of_defenses_is_a_text_in_a_configuration() -> None:
    """A run can ask for a ladder: Flower's configurations hold no lists."""
    run_config = {"leakage.action": "defend", "leakage.defenses": "prune:0.1,gaussian:0.01"}
    assert not errors(run(app_with(guard()), **run_config)[1])


@pytest.mark.parametrize(
    "run_config",
    [{"leakage.action": "sned"}, {"leakage.actoin": "report"}, {"leakage.every": 0}, {"leakage.every": True},
     {"leakage.defenses": "gausian:1"}, {"leakage.action": "defend"}],
)  # fmt: skip
def test_options_that_cannot_be_read_block(run_config: dict[str, Any]) -> None:
    """A mistake in the configuration sends nothing, whatever the app's own action is."""
    _, grid = run(app_with(guard(action="report" if "leakage.action" not in run_config else "block")), **run_config)
    assert errors(grid) == [REFUSAL] * 2


def test_a_server_does_not_choose_by_types_of_messages_what_is_audited() -> None:
    """With ``every`` 2 the first update of each type is audited, though another one comes before it."""
    audited: list[bool] = []
    guarding = guard(action="block", every=2)
    app = ClientApp()
    for kind in ("one", "other"):
        app.train(kind, mods=[guarding])(trained)
    grid = LocalGrid(app, 1, {})
    arrays = ArrayRecord(task.initial_network().state_dict())
    (node,) = grid.get_node_ids()
    for kind in ("one", "other", "one", "other"):
        sent = grid.create_message(RecordDict({"arrays": arrays}), f"train.{kind}", node, "0")
        (reply,) = grid.send_and_receive([sent])
        audited.append(reply.has_error())
    assert audited == [True, True, False, False]


def test_only_every_nth_round_is_audited() -> None:
    """With ``every`` 2 a client's first update is audited, and its third."""
    rounds: list[int | None] = []

    def record(ctx: Context, decision: Decision) -> None:
        if decision.report is not None:
            rounds.append(decision.report.round)

    _, grid = run(app_with(guard(action="block", every=2, record=record)), rounds=3)
    assert rounds == [1, 1, 3, 3]
    assert len(errors(grid)) == 4


def failing(*_: Any) -> Any:
    """A function of the user that breaks."""
    raise RuntimeError("a secret: cat.jpg")


@pytest.mark.parametrize(
    ("changed", "expected"), [({"audit": failing}, 2), ({"batch": failing}, 2), ({"record": failing}, 2)]
)
def test_whatever_breaks_blocks(changed: dict[str, Any], expected: int) -> None:
    """An exception of the user's functions blocks, and its text stays on the client; under ``report`` all is sent."""
    given = {"audit": lambda ctx: task.audit(), "batch": batch, "record": None} | changed
    _, grid = run(app_with(LeakageGuard(action="block", **given)))
    assert errors(grid) == [REFUSAL] * expected
    assert not errors(run(app_with(LeakageGuard(action="report", **given)))[1])


def test_a_wrong_declaration_blocks() -> None:
    """A client that takes another step than declared cannot be told about, and is blocked."""
    wrong = Audit(
        task.LeakingNetwork(),
        task.INPUTS,
        training=LocalTraining(task.LEARNING_RATE, 1, optimiser="adam"),
        attacks=("closed-form",),
        controls=task.audit().controls,
    )
    assert errors(run(app_with(LeakageGuard(lambda ctx: wrong, batch, action="block")))[1]) == [REFUSAL] * 2


def test_two_array_records_block() -> None:
    """An update in a second ArrayRecord passes no guard."""

    def doubled(msg: Message, ctx: Context) -> Message:
        reply = trained(msg, ctx)
        reply.content["more"] = reply.content["arrays"]
        return reply

    assert errors(run(app_with(guard(action="block"), train=doubled))[1]) == [REFUSAL] * 2


def test_a_client_that_fails_itself_is_told_as_it_is() -> None:
    """The guard changes no error of the client."""
    _, grid = run(app_with(guard(action="block"), train=failing))
    assert [reply.error.code for reply in grid.replies] == [ErrorCode.CLIENT_APP_RAISED_EXCEPTION] * 2


@pytest.mark.parametrize("options", [{"action": "sned"}, {"every": 0}, {"limit": 1.0}, {"defenses": ["gausian:1"]}])
def test_refuses_wrong_options(options: dict[str, Any]) -> None:
    """A mistake in the app is told when the app is loaded."""
    with pytest.raises(InvalidConfiguration):
        guard(**options)


def test_the_probe_tells_each_round() -> None:
    """The probe's metrics are the server's, its rounds count from 0, and its reports are recorded."""
    reports: list[LeakageReport] = []
    probe = leakage_probe(task.audit(), task.train, *task.probe_batch(), every=2, record=reports.append)
    result, _ = run(app_with(), rounds=2, evaluate=probe)
    assert [report.round for report in reports] == [0, 2]
    assert set(result.evaluate_metrics_serverapp) == {0, 2}
    assert result.evaluate_metrics_serverapp[2]["leaks"] == 1
    assert result.evaluate_metrics_serverapp[2]["leakage-max"] > 0.9
    assert 0 < result.evaluate_metrics_serverapp[2]["leakage-control"] < 0.9


def test_a_broken_probe_could_not_tell_and_the_run_goes_on() -> None:
    """No leakage is told where the probe breaks."""
    probe = leakage_probe(task.audit(), failing, *task.probe_batch())
    result, _ = run(app_with(), evaluate=probe)
    assert dict(result.evaluate_metrics_serverapp[1]) == {"could-not-tell": 1}
    assert len(result.arrays) == 4


def test_a_probe_that_could_not_tell_tells_no_share() -> None:
    """Noise that no attack sees through leaves no number that would read as no leakage."""
    probe = leakage_probe(task.audit(), task.train, *task.probe_batch(), defense="gaussian:10")
    result, _ = run(app_with(), evaluate=probe)
    told = result.evaluate_metrics_serverapp[1]
    assert told["could-not-tell"] == 1
    assert not {"leaks", "leaked-share", "leakage-mean", "leakage-max"} & set(told)


def test_the_probe_refuses_no_rounds() -> None:
    """``every`` is a whole number of at least 1."""
    with pytest.raises(InvalidConfiguration, match="expected a whole number of rounds"):
        leakage_probe(task.audit(), task.train, *task.probe_batch(), every=0)
