"""The triplet loss and its relatives."""

import torch

from semsim_training.metric.triplet_loss import comparison_loss, distances
from tests.training.metric.small import recipe


def sides(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit embeddings of anchors, positives and negatives."""
    rng = torch.Generator().manual_seed(seed)
    anchor, positive, negative = torch.nn.functional.normalize(torch.randn((3, 64, 8), generator=rng), dim=2)
    return anchor, positive, negative


def test_hinge_is_torchs_triplet_margin_loss() -> None:
    """With one anchor and the margin of the paper the loss equals TripletMarginLoss(margin=1, p=2)."""
    anchor, positive, negative = sides()
    ours = comparison_loss(distances(anchor, positive), distances(anchor, negative), torch.ones(64), recipe())
    theirs = torch.nn.TripletMarginLoss(margin=1.0, p=2)(anchor, positive, negative)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_semi_hard_keeps_what_is_farther_but_not_far_enough() -> None:
    """Negatives nearer than the positive, or beyond the margin, do not count."""
    nearer, farther = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.4, 0.7, 1.9])
    chosen = recipe(mining="semi-hard", margin=0.5)
    torch.testing.assert_close(comparison_loss(nearer, farther, torch.ones(3), chosen), torch.tensor(0.3))
    hard = comparison_loss(nearer[:1], farther[:1], torch.ones(1), chosen)
    torch.testing.assert_close(hard, torch.tensor(0.6))  # none is semi-hard: all count


def test_graded_margins_follow_the_difference_of_shares() -> None:
    """A recognised share that is greater by a third asks for a third of the margin."""
    nearer = farther = torch.tensor([0.5])
    values = [comparison_loss(nearer, farther, torch.tensor([d]), recipe(graded=True)) for d in (1 / 3, 1.0)]
    torch.testing.assert_close(values[0] * 3, values[1])


def test_the_soft_loss_tends_to_the_hinge() -> None:
    """At a low temperature both losses are alike, and equal embeddings have a finite gradient."""
    anchor, positive, negative = sides(1)
    pair = distances(anchor, positive), distances(anchor, negative)
    hinge = comparison_loss(*pair, torch.ones(64), recipe())
    soft = comparison_loss(*pair, torch.ones(64), recipe(loss="soft", temperature=1e-4))
    torch.testing.assert_close(soft, hinge, rtol=1e-3, atol=1e-3)
    same = anchor.clone().requires_grad_()
    comparison_loss(distances(same, same.detach()), pair[1], torch.ones(64), recipe(loss="soft")).backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_no_comparisons_teach_nothing() -> None:
    """A batch in which all shares are equal gives zero, with a gradient."""
    empty = torch.zeros(0, requires_grad=True)
    assert float(comparison_loss(empty, empty, torch.zeros(0), recipe()).detach()) == 0
