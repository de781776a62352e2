"""Victims from code of the user."""

from pathlib import Path

import pytest
from torch import nn

from semsim.exceptions import InvalidVictim
from semsim_training.victims.modules import module_from

FILE = """
from torch import nn
from sizes import WIDTH

class Net(nn.Module):
    def __init__(self, num_classes=10, width=WIDTH):
        super().__init__()
        self.fc = nn.Linear(width, num_classes)

def make_net():
    return Net()

def make(**options):
    return Net(**options)

def narrow(**options):
    if options:
        raise TypeError("narrow() got an unexpected keyword argument 'num_classes'")
    return Net()

def needs(depth):
    return Net()

def wrong():
    return [Net()]

def broken():
    raise ValueError("no such depth")

net = Net(7)
number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A user's file, which imports the one beside it."""
    (tmp_path / "sizes.py").write_text("WIDTH = 5\n")
    path = tmp_path / "my_file.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(("name", "classes"), [("Net", 4), ("make_net", 10), ("make", 4), ("narrow", 10), ("net", 7)])
def test_a_file_makes_a_network(file: Path, name: str, classes: int) -> None:
    """A class, a function and a network are taken; the number of classes is passed where it is taken."""
    network = module_from(f"{file}:{name}", classes=4)
    layer = network.fc
    assert isinstance(layer, nn.Linear)
    assert (layer.out_features, layer.in_features) == (classes, 5)


def test_options_are_passed(file: Path) -> None:
    """Options of the user go to the function; one that it does not take is named."""
    assert isinstance(module_from(f"{file}:Net", width=8).fc, nn.Linear)
    with pytest.raises(InvalidVictim, match="to take height, got num_classes, width"):
        module_from(f"{file}:Net", height=8)


def test_a_module_of_a_library() -> None:
    """A dotted module and a function of it make torchvision's network."""
    network = module_from("torchvision.models:squeezenet1_1", classes=4)
    assert type(network).__name__ == "SqueezeNet"
    assert any(isinstance(layer, nn.Conv2d) and layer.out_channels == 4 for layer in network.modules())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("my_file.py", "FILE.py:NAME or MODULE:NAME"),
        ("missing.py:net", "no such file"),
        ("no_such_package_here:net", "ModuleNotFoundError"),
        ("FILE:missing", "expected missing in .*Net, make_net"),
        ("FILE:needs", "got depth"),
        ("FILE:wrong", r"expected a torch\.nn\.Module from .*got list"),
        ("FILE:number", "got int"),
        ("FILE:broken", "ValueError: no such depth"),
    ],
)
def test_what_is_no_network_is_refused(file: Path, text: str, told: str) -> None:
    """Each mistake is told with what was expected."""
    with pytest.raises(InvalidVictim, match=told):
        module_from(text.replace("FILE", str(file)))
