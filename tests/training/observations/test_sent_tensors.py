"""Updates in the forms in which federated learning hands them over."""

import copy
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate, InvalidVictim
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.attack import attack
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.observation import Observation, Victim
from semsim_training.observations.sent_tensors import named_tensors
from semsim_training.observations.update_files import observation_of, with_weights
from semsim_training.observations.update_kind import UpdateKind
from tests.training.small import smooth_images, victim

STEP = LocalTraining(0.1, 4)
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def attacked() -> Victim:
    """A small ResNet20, which has batch normalisation."""
    return victim("resnet20", 4, 16)


@pytest.fixture(scope="module")
def after(attacked: Victim) -> State:
    """A state after training in evaluation mode, which leaves the buffers alone."""
    rng = torch.Generator().manual_seed(0)
    trained = {name for name, _ in attacked.model.named_parameters()}
    return {
        name: value + 0.01 * torch.randn(value.shape, generator=rng) if name in trained else value.clone()
        for name, value in attacked.model.state_dict().items()
    }


def read(attacked: Victim, sent: Any, kind: UpdateKind = UpdateKind.AFTER) -> Observation:
    """The observation of four images."""
    training = None if kind is UpdateKind.GRADIENT else STEP
    return observation_of(attacked, sent, kind, images=4, local_training=training)


def numpy_of(state: State) -> dict[str, Any]:
    """The state as NVFLARE sends it."""
    return {name: value.numpy() for name, value in state.items()}


def saved(write: Callable[[State, Path], object], name: str) -> Callable[[State, Path], Path]:
    """A form that is a file."""

    def form(state: State, folder: Path) -> Path:
        write(state, folder / name)
        return folder / name

    return form


FORMS: dict[str, Callable[[State, Path], Any]] = {
    "tensors by name": lambda state, _: state,
    "arrays by name": lambda state, _: numpy_of(state),
    "arrays in order": lambda state, _: list(numpy_of(state).values()),
    "tensors in order": lambda state, _: tuple(state.values()),
    "without counters": lambda state, _: [value for name, value in state.items() if "tracked" not in name],
    "parameters alone": lambda state, _: [
        value for name, value in state.items() if "running" not in name and "tracked" not in name
    ],
    "prefixed": lambda state, _: {f"module.{name}": value for name, value in state.items()},
    "sparse": lambda state, _: {name: value.to_sparse() for name, value in state.items()},
    "float64": lambda state, _: {
        n: value.double() if value.is_floating_point() else value for n, value in state.items()
    },
    "big-endian": lambda state, _: {
        name: value.astype(value.dtype.newbyteorder(">")) for name, value in numpy_of(state).items()
    },
    "with a graph": lambda state, _: {
        n: value.clone().requires_grad_() if value.is_floating_point() else value for n, value in state.items()
    },
    ".pt": saved(torch.save, "after.pt"),
    ".pth of a checkpoint": saved(lambda state, path: torch.save({"state_dict": state, "epoch": 3}, path), "after.pth"),
    ".pt of a list": saved(lambda state, path: torch.save(list(state.values()), path), "after.pt"),
    ".npz by name": saved(lambda state, path: np.savez(path, **numpy_of(state)), "after.npz"),
    ".npz in order": saved(lambda state, path: np.savez(path, *numpy_of(state).values()), "after.npz"),
    ".safetensors": saved(save_file, "after.safetensors"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_update(
    attacked: Victim, after: State, tmp_path: Path, form: Callable[[State, Path], Any]
) -> None:
    """Names or order, memory or file: the delta is the difference of the weights, and weights can be loaded so, too."""
    before = attacked.model.state_dict()
    sent = form(after, tmp_path)
    observation = read(attacked, sent)
    assert not observation.update.running_statistics
    assert observation.rounding < 1e-6
    for name, value in observation.update.tensors.items():
        assert torch.allclose(value, after[name] - before[name], rtol=0, atol=2e-7), name
    if form is FORMS["parameters alone"]:
        with pytest.raises(InvalidVictim, match=r"missing bn1.running_mean"):
            with_weights(attacked.model, sent)
        return
    loaded = with_weights(attacked.model, sent).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in after.items())


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 0.01), (torch.bfloat16, 0.1)])
def test_half_precision_is_told_where_it_matters(
    attacked: Victim, after: State, dtype: torch.dtype, most: float
) -> None:
    """A gradient loses nothing that matters; of a state the rounding's part in the delta is told as it is."""
    before = attacked.model.state_dict()
    half = {name: value.to(dtype) if value.is_floating_point() else value for name, value in after.items()}
    delta = {name: (after[name] - before[name]).to(dtype) for name, _ in attacked.model.named_parameters()}
    assert read(attacked, delta, UpdateKind.GRADIENT).rounding < 1e-4
    observation = read(attacked, half)
    exact = {name: after[name] - before[name] for name in observation.update.tensors}
    lost = sum(float((observation.update.tensors[name] - value).square().sum()) for name, value in exact.items())
    energy = sum(float(value.square().sum()) for value in exact.values())
    assert lost / energy == pytest.approx(observation.rounding, rel=0.3)
    assert 1e-6 < observation.rounding < most


def test_what_is_not_the_models_is_refused(attacked: Victim, after: State, tmp_path: Path) -> None:
    """The error says what was expected and what came, whatever is wrong."""
    values = list(after.values())
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "objects.npz", np.array([object()]))
    torch.save([value.numpy() for value in values[:2]], tmp_path / "arrays.pt")
    torch.save("hello", tmp_path / "text.pt")
    for sent, message in (
        (values[:-1], r"expected a list of as many tensors as the model has: 128 \(state_dict\)"),
        (values[::-1], r"expected conv1.weight of shape \(4, 3, 3, 3\) at place 0 of the list, got \(10,\)"),
        ({}, "expected a state dict"),
        ("after.pt", "expected tensors by name or in a list, or the pathlib.Path of their file, got str"),
        (after | {"conv1.weight": torch.zeros(4, dtype=torch.complex64)}, "expected real numbers in conv1.weight"),
        (after | {"conv1.weight": np.array(["a"])}, "expected real numbers in conv1.weight, got an array of <U1"),
        ([*values[:-1], "a"], "expected a tensor or an array for tensor 127, got str"),
        (memoryview(np.zeros((2, 2))), "expected tensors by .*, or the pathlib.Path of their file, got memoryview"),
        ({name: value for name, value in after.items() if name != "conv1.weight"}, "missing conv1.weight"),
        (after | {"conv1.weight": torch.full((4, 3, 3, 3), torch.nan)}, "got NaN or infinity in conv1.weight"),
        (tmp_path / "nowhere.npz", r"expected a file of tensors \(.* at .*nowhere.npz: No such file"),
        (tmp_path / "text.npz", "expected a file of tensors .* at .*text.npz"),
        (tmp_path / "objects.npz", "expected a file of tensors .*objects.npz, got an array of Python objects"),
        (tmp_path / "arrays.pt", r"arrays of NumPy belong into .npz"),
        (tmp_path / "text.pt", "expected tensors by name or in a list from .*text.pt, got str"),
    ):  # fmt: skip
        with pytest.raises(InvalidUpdate, match=message):
            read(attacked, sent)


WIDE = (10**6, 10**6)
IMMENSE: dict[str, Callable[[], Any]] = {
    "repeated array": lambda: np.broadcast_to(np.uint8(1), WIDE),
    "repeated records": lambda: np.broadcast_to(np.zeros(1, [("r", "u1"), ("g", "u1")]), WIDE),
    "repeated tensor": lambda: torch.ones(1).expand(WIDE),
    "sparse tensor": lambda: torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.int64), torch.ones(1), WIDE),
}


@pytest.mark.parametrize("name", IMMENSE)
def test_what_is_immense_when_it_is_dense_is_refused(attacked: Victim, after: State, tmp_path: Path, name: str) -> None:
    """Views that repeat a value and sparse tensors are refused by their shape: a dense copy would be a terabyte."""
    value = IMMENSE[name]()
    state = after | {"conv1.weight": value}
    sent: list[Any] = [state, list(state.values())]
    if isinstance(value, Tensor):
        torch.save(state, tmp_path / "after.pt")
        sent += [{"state_dict": state}, tmp_path / "after.pt"]
    for one in sent:
        with pytest.raises(InvalidUpdate, match=r"expected at most \d+ values in .*, got shape \(1000000, 1000000\)"):
            read(attacked, one)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_beyond_single_precision_are_refused(attacked: Victim, after: State) -> None:
    """They would be infinite in the update."""
    sent = {name: after[name].double() * 1e300 for name, _ in attacked.model.named_parameters()}
    sent |= {"conv1.weight": -sent["conv1.weight"]}
    with pytest.raises(InvalidUpdate, match=r"got NaN or infinity in conv1\.weight"):
        read(attacked, numpy_of(sent), UpdateKind.GRADIENT)


def test_what_stands_beside_a_state_is_not_looked_at(attacked: Victim, after: State) -> None:
    """A checkpoint may hold a long record of losses."""
    assert read(attacked, {"state_dict": after, "losses": np.zeros(10**5)}).update.tensors


def written(content: bytes) -> Callable[[State, Path], object]:
    """A file of other content."""
    return lambda _, path: path.write_bytes(content)


def zipped(name: str) -> Callable[[State, Path], object]:
    """An archive of a text."""

    def write(_: State, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "text")

    return write


def one_array(state: State, path: Path) -> None:
    """An array without a name."""
    with path.open("wb") as file:
        np.save(file, state["conv1.weight"].numpy())


def cut(state: State, path: Path) -> None:
    """The first half of a file."""
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


NO_UPDATES: dict[str, tuple[str, Callable[[State, Path], object], str]] = {
    "nothing": ("a.pt", written(b""), "got an empty file$"),
    "nothing, named npz": ("a.npz", written(b""), "got an empty file$"),
    "text": ("a.pt", written(b"hello\n" * 9), "got something else"),
    "half of a file": ("a.pt", cut, "got a file that is cut or damaged$"),
    "half of a header": ("a.safetensors", written(b"\xff" * 12), "got Error while deserializing header"),
    "a folder": ("a.npz", lambda _, path: path.mkdir(), "a.npz: Is a directory"),
    "one array": ("a.npz", one_array, r"got a single array, without a name \(.npy\)$"),
    "a text, named npz": ("a.npz", written(b"a text"), "got no archive of arrays$"),
    "an archive of a text": ("a.pt", zipped("a.txt"), "got an archive of other files$"),
    "an archive of a text, named npz": ("a.npz", zipped("a.txt"), "got an archive of other files, such as a.txt$"),
    "a module": ("a.pt", lambda _, path: torch.save(nn.Linear(2, 2), path), "got an object torch.nn.*, which is code"),
    "a path": ("a.pt", lambda _, path: torch.save({"a": path}, path), "got an object pathlib.*, which is code"),
    "numbers as names": (
        "a.pt", lambda state, path: torch.save(dict(enumerate(state.values())), path), "names of .* as text .* int 0",
    ),
    "no name": ("a.pt", lambda state, path: torch.save({**state, None: torch.ones(1)}, path), "got NoneType None"),
    "nothing under a name": (
        "a.pt", lambda state, path: torch.save({**state, "conv1.weight": None}, path), r"conv1.weight \(NoneType\)",
    ),
    "a tensor without numbers": (
        "a.pt", lambda _, path: torch.save({"a": torch.zeros(2, device="meta")}, path), "in a, got a meta tensor",
    ),
    "a transposed tensor": (
        "a.pt", lambda state, path: torch.save(state | {"fc.weight": state["fc.weight"].T}, path), "of shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_UPDATES)
def test_files_that_are_no_update_are_refused_in_a_line(
    attacked: Victim, after: State, tmp_path: Path, name: str
) -> None:
    """As an update and as weights: without advice to execute the file, and without a traceback."""
    file, write, message = NO_UPDATES[name]
    write(after, tmp_path / file)
    with pytest.raises(InvalidUpdate, match=message) as caught:
        read(attacked, tmp_path / file)
    assert len(str(caught.value).splitlines()) == 1
    assert "weights_only" not in str(caught.value)
    with pytest.raises(InvalidVictim, match=message):
        with_weights(attacked.model, tmp_path / file)


def test_a_file_is_told_by_its_content(attacked: Victim, after: State, tmp_path: Path) -> None:
    """Arrays of NumPy under the name of a PyTorch file, or under none, are read."""
    for name in ("after.pt", "after"):
        with (tmp_path / name).open("wb") as file:
            np.savez(file, **numpy_of(after))
        assert read(attacked, tmp_path / name).update.tensors


@pytest.mark.filterwarnings("error")
def test_sparse_tensors_in_a_file_are_read_in_silence(attacked: Victim, after: State, tmp_path: Path) -> None:
    """PyTorch warns that it checks them."""
    torch.save({name: value.to_sparse() for name, value in after.items()}, tmp_path / "after.pt")
    assert read(attacked, tmp_path / "after.pt").update.tensors


def test_one_kind_is_not_taken_for_another(attacked: Victim, after: State) -> None:
    """States as gradients and deltas, deltas and gradients as states, and updates of zeros are refused."""
    before = attacked.model.state_dict()
    delta = {name: after[name] - before[name] for name in after}
    parameters = {name: delta[name] for name, _ in attacked.model.named_parameters()}
    for kind in (UpdateKind.GRADIENT, UpdateKind.DELTA):
        with pytest.raises(InvalidUpdate, match=f"expected a {kind}, got tensors whose cosine .* of kind after"):
            read(attacked, after, kind)
        with pytest.raises(InvalidUpdate, match="expected an update that is not zero, got zeros only"):
            read(attacked, {name: torch.zeros_like(value) for name, value in after.items()}, kind)
        assert read(attacked, delta, kind).update.tensors.keys() == parameters.keys()
    for sent in (delta, parameters):
        with pytest.raises(InvalidUpdate, match=r"expected the state after training, .* of kind gradient or delta"):
            read(attacked, sent)
    with pytest.raises(InvalidUpdate, match="got the weights that were sent out, unchanged"):
        read(attacked, before)
    with pytest.raises(InvalidUpdate, match="expected no learning rate for an update of kind gradient, got one"):
        observation_of(attacked, parameters, UpdateKind.GRADIENT, local_training=STEP)


@pytest.mark.parametrize("kind", UpdateKind)
def test_statistics_that_moved_are_told(attacked: Victim, after: State, kind: UpdateKind) -> None:
    """Under every kind they contradict evaluation mode; in training mode they are used, and must have moved."""
    before = attacked.model.state_dict()
    moved = {name: value + 1 if "running" in name or "tracked" in name else value for name, value in after.items()}
    sent = moved
    if kind is not UpdateKind.AFTER:
        sent = {name: moved[name] - before[name] for name in moved}
    if kind is UpdateKind.GRADIENT:
        sent |= {name: value for name, value in moved.items() if "running" in name}
    with pytest.raises(InvalidUpdate, match="expected batch normalisation in training mode"):
        read(attacked, sent, kind)
    training = None if kind is UpdateKind.GRADIENT else STEP
    observation = observation_of(attacked, sent, kind, images=4, local_training=training, batchnorm="train")
    assert torch.allclose(observation.update.running_statistics["bn1.running_mean"], before["bn1.running_mean"] + 1)
    if kind is not UpdateKind.GRADIENT:
        with pytest.raises(
            InvalidUpdate, match=r"expected 2 steps of a client with 8 images, got 1 in bn1.num_batches"
        ):
            observation_of(attacked, sent, kind, images=8, local_training=STEP, batchnorm="train")
    if kind is UpdateKind.AFTER:
        with pytest.raises(InvalidUpdate, match="expected running statistics that moved"):
            observation_of(attacked, after, kind, images=4, local_training=STEP, batchnorm="train")


@pytest.mark.parametrize("kind", UpdateKind)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bn1.num_batches_tracked", torch.tensor(torch.nan), "expected 1 steps .* got nan in bn1.num_batches_tracked"),
        ("bn1.num_batches_tracked", torch.tensor(torch.inf), "expected 1 steps .* got inf in bn1.num_batches_tracked"),
        ("bn1.num_batches_tracked", np.uint64(9), "expected 1 steps .* got 9 in bn1.num_batches_tracked"),
        ("bn1.num_batches_tracked", torch.tensor([True]), None),
        ("bn1.num_batches_tracked", torch.zeros(2), r"expected bn1.num_batches_tracked of shape \(\) .* got \(2,\)"),
        ("bn1.running_mean", torch.zeros(3), r"expected bn1.running_mean of shape \(4,\) in the update, got \(3,\)"),
        ("bn1.running_mean", torch.zeros(1), r"expected bn1.running_mean of shape \(4,\) in the update, got \(1,\)"),
    ],
)
def test_buffers_of_any_numbers_and_shapes_are_refused_in_words(
    attacked: Victim, after: State, kind: UpdateKind, name: str, value: Any, message: str | None
) -> None:
    """Counters that count nothing, and statistics of other shapes; a gradient's counters say nothing of its steps."""
    before = attacked.model.state_dict()
    sent: dict[str, Any] = dict(after)
    if kind is not UpdateKind.AFTER:
        sent = {key: after[key] - before[key] for key, _ in attacked.model.named_parameters()}
    if message is None or (kind is UpdateKind.GRADIENT and "steps" in message):
        assert read(attacked, sent | {name: value}, kind).update.tensors
        return
    with pytest.raises(InvalidUpdate, match=message):
        read(attacked, sent | {name: value}, kind)


def test_frozen_parameters_do_not_move(attacked: Victim, after: State) -> None:
    """They may be missing or zero; one that moved is named, and so is a trained one that is missing."""
    model = copy.deepcopy(attacked.model)
    model.get_parameter("conv1.weight").requires_grad_(False)
    frozen = replace(attacked, model=model)
    still = after | {"conv1.weight": model.get_parameter("conv1.weight")}
    missing = {name: value for name, value in after.items() if name != "conv1.weight"}
    for sent in (still, missing):
        assert "conv1.weight" not in read(frozen, sent).update.tensors
    with pytest.raises(InvalidUpdate, match=r"expected no update of conv1.weight, which requires no gradient, got one"):
        read(frozen, after)
    with pytest.raises(InvalidUpdate, match=r"missing bn1.bias"):
        read(frozen, {name: value for name, value in still.items() if name != "bn1.bias"})


def test_names_of_one_parameter_are_one() -> None:
    """A weight that two layers share comes under both names in a state dict, and under one in the update."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert set(named_tensors(list(model.state_dict().values()), model)) == {"0.weight", "0.bias", "1.bias"}
    assert set(named_tensors(list(model.parameters()), model)) == {"0.weight", "0.bias", "1.bias"}


def test_weights_before_and_after_are_all_that_an_attack_needs() -> None:
    """A closed form takes one step of SGD with momentum, decay and clipping as the gradient that it is."""
    attacked = victim("perceptron", 32, 16)
    model, images = copy.deepcopy(attacked.model), smooth_images(1, 16)
    before = [value.numpy().copy() for value in model.state_dict().values()]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1)
    nn.functional.cross_entropy(model(normalise(images, attacked.inputs)), torch.tensor([3])).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimiser.step()
    after = [value.numpy() for value in model.state_dict().values()]
    other = victim("perceptron", 32, 16, seed=1).model
    training = LocalTraining(0.01, 1, momentum=0.9, nesterov=True, weight_decay=0.1, clip_norm=0.1)
    found = attack(
        other, after, inputs=attacked.inputs, before=before, kind="after", training=training, attack="closed-form"
    )
    assert found.labels == (3,)
    assert float(psnr(mse(images, found.images))[0]) > 45
