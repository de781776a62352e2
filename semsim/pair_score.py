"""The scores of one pair."""

from dataclasses import dataclass

from semsim.uninformative import Uninformative


@dataclass(frozen=True, slots=True)
class PairScore:
    """The scores of one pair of an original and its reconstruction."""

    distance: float
    """The L2 distance of the embeddings; 0 = same image; lower = more leakage."""
    leakage: float | None
    """The calibrated probability that an annotator recognises the reconstruction. None where the model is not
    calibrated, and where the pair is uninformative."""
    recognizable: bool | None
    """True where the leakage is at least the model's threshold; None where the leakage is None."""
    mse: float
    psnr: float
    """The peak signal-to-noise ratio in dB; infinite for equal images."""
    ssim: float
    resized: bool
    """True where the reconstruction was resized to the original for mse, psnr and ssim."""
    uninformative: Uninformative | None = None
    """The reason why nothing can be told: the original shows nothing (a plain colour, a gradient, noise), or the
    reconstruction is blank or dim beside it, or resembles it moved or in another order of its values. The pair then
    has no leakage, which does not say that it is safe. One that is recognizable all the same has its leakage."""
    chance: float | None = None
    """The share of public control images, one counted with them, that are as near to the reconstruction as its original
    is, in (0, 1]. A low chance says that it is this picture, and not only one of its kind. None where the pair is
    uninformative, where there are no controls, and where fewer than 100 of them are no copies of the original."""
    identified: bool | None = None
    """True where the chance is below 1%; None where the chance is None."""
    leakage_low: float | None = None
    leakage_high: float | None = None
    """The range of the leakage: that of the middle 90% of calibrations on other draws of the judged originals.
    None where the leakage is None, and where the model keeps no draws."""
    lpips: float | None = None
    """LPIPS with AlexNet (Zhang et al., CVPR 2018), >= 0; 0 = equal, lower = closer. None where the scorer has no
    LPIPS artifact, where a side of the original is under 31 pixels, and where it has over 2^20 pixels."""
