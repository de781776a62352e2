"""Images of one scene laid over each other before they are averaged (Yin et al., CVPR 2021, section 3.4).

Different starts of a search find the same objects in places that differ a little; their plain mean is a blur. The paper
registers each image to the mean with RANSAC-Flow, a trained network, coarsely by a homography and then by a flow. Here
an image is moved by whole pixels, where the correlation is highest, and then by an affine map (Lucas and Kanade, 1981).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 8
"""An image is moved by at most one part in so many of its size before the affine map."""
_STEPS = 3
"""The number of Gauss-Newton steps towards the affine map."""
_RIDGE = 1e-3
"""The share of the mean diagonal that is added to the normal equations, so that flat images stay where they are."""


def registered_mean(groups: Tensor) -> Tensor:
    """The means ``(N, images, C, H, W)`` of groups ``(N, members, images, C, H, W)`` whose members are registered.

    A member that no map brings closer to the plain mean stays as it is.
    """
    mean: Tensor = groups.mean(dim=1)
    if groups.shape[1] == 1:
        return mean
    moving = groups.flatten(0, 2)
    fixed = mean[:, None].expand_as(groups).flatten(0, 2)
    moved = _warped(moving, _affine(moving.mean(dim=1), fixed.mean(dim=1)))
    closer = (moved - fixed).square().flatten(1).sum(dim=1) < (moving - fixed).square().flatten(1).sum(dim=1)
    aligned = torch.where(closer[:, None, None, None], moved, moving)
    consensus: Tensor = aligned.unflatten(0, groups.shape[:3]).mean(dim=1)
    return consensus


def _affine(moving: Tensor, fixed: Tensor) -> Tensor:
    """The affine maps ``(B, 2, 3)`` that bring ``moving`` onto ``fixed``, both ``(B, H, W)``."""
    height, width = moving.shape[1:]
    grid = F.affine_grid(moving.new_tensor([[[1.0, 0, 0], [0, 1, 0]]]), [1, 1, height, width], align_corners=False)[0]
    homogeneous = torch.cat([grid, torch.ones_like(grid[..., :1])], dim=-1)
    maps = _translation(moving, fixed)
    for _ in range(_STEPS):
        warped = _warped(moving[:, None], maps)[:, 0]
        # The slopes by the coordinates of the grid, where an image is two units wide and two high.
        down, right = torch.gradient(warped, dim=(1, 2))
        down, right = down * height / 2, right * width / 2
        jacobian = torch.cat([right[..., None] * homogeneous, down[..., None] * homogeneous], dim=-1).flatten(1, 2)
        normal = jacobian.transpose(1, 2) @ jacobian
        ridge = _RIDGE * normal.diagonal(dim1=1, dim2=2).mean(dim=1) + torch.finfo(normal.dtype).tiny
        normal = normal + ridge[:, None, None] * torch.eye(6).to(normal)
        step, _ = torch.linalg.solve_ex(normal, jacobian.transpose(1, 2) @ (fixed - warped).flatten(1)[..., None])
        maps = maps + step.unflatten(1, (2, 3))[..., 0]
    return maps


def _translation(moving: Tensor, fixed: Tensor) -> Tensor:
    """The affine maps ``(B, 2, 3)`` that move by whole pixels to where the correlation is highest."""
    height, width = moving.shape[1:]
    centred = [image - image.mean(dim=(1, 2), keepdim=True) for image in (moving, fixed)]
    spectra = [torch.fft.rfft2(image) for image in centred]
    correlation = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(height, width))
    reach_down, reach_right = height // _REACH, width // _REACH
    near = torch.roll(correlation, (reach_down, reach_right), (1, 2))[:, : 2 * reach_down + 1, : 2 * reach_right + 1]
    best = near.flatten(1).argmax(dim=1)
    down, right = best // near.shape[2] - reach_down, best % near.shape[2] - reach_right
    maps = moving.new_zeros(len(moving), 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = 1.0
    maps[:, 0, 2], maps[:, 1, 2] = 2 * right / width, 2 * down / height
    return maps


def _warped(images: Tensor, maps: Tensor) -> Tensor:
    """Images ``(B, C, H, W)`` read at the places that affine maps ``(B, 2, 3)`` name, with their border repeated."""
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
