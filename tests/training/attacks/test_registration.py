"""Members of a group are laid over their mean, and no group sees another."""

import torch

from semsim_training.attacks.registration import registered_mean
from tests.training.small import smooth_images


def groups() -> torch.Tensor:
    """Two groups of three, ``(2, 3, 1, 3, 32, 32)``: a smooth image, moved by some pixels in the first."""
    first, second = torch.from_numpy(smooth_images(2, 32)).permute(0, 3, 1, 2).double() / 255
    moved = [torch.roll(first, places, (1, 2)) for places in ((0, 0), (2, 0), (0, -2))]
    return torch.stack([torch.stack(moved), second.expand(3, -1, -1, -1)])[:, :, None]


def test_moved_images_come_together() -> None:
    """The registered mean has more of the members' contrast than the plain one; equal members are left alone."""
    members = groups()
    registered, plain = registered_mean(members), members.mean(dim=1)
    # The border is not compared: what was rolled in there belongs to the other side.
    contrast = [image[0, 0, :, 6:-6, 6:-6].std() for image in (registered, plain)]
    assert contrast[0] > contrast[1]
    assert torch.allclose(registered[1], members[1, 0], atol=1e-9)


def test_groups_and_single_members_stay_apart() -> None:
    """A group's mean is what it is alone, and one member's mean is the member."""
    members = groups()
    assert torch.allclose(registered_mean(members)[:1], registered_mean(members[:1]), atol=1e-12)
    assert torch.equal(registered_mean(members[:, :1]), members[:, 0])
