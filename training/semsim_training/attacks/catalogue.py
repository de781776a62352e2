"""Every attack by name, where it is published, and how long it searches: a list that needs no torch."""

from dataclasses import dataclass

_DLG = "Zhu, Liu, Han: Deep Leakage from Gradients. NeurIPS 2019, arXiv 1906.08935"
_IDLG = "Zhao, Mopuri, Bilen: iDLG: Improved Deep Leakage from Gradients. 2020, arXiv 2001.02610"
_INVERTING = "Geiping et al.: Inverting Gradients. NeurIPS 2020, arXiv 2003.14053"
_SEMSIM = "Sun et al.: Privacy Assessment on Reconstructed Images. NeurIPS 2023, arXiv 2309.13038, code"
_MODERN = "Geiping et al.: breaching, attack `modern`"
_SEE_THROUGH = "Yin et al.: See Through Gradients. CVPR 2021, arXiv 2104.07586"
_SMOOTH = "Inverting Gradients with a strong prior, from zeros, decaying by a cosine; for CPUs"
_BATCH = "`smooth` held to the batch statistics that clients sent (Huang et al., NeurIPS 2021); for CPUs"
_CLOSED = "Phong et al.: Privacy-Preserving Deep Learning. IEEE TIFS 2018; Geiping et al., 2020, proposition 3.1"
_IMPRINT = "Fowl et al.: Robbing the Fed. ICLR 2022, arXiv 2110.13057"
_LOKI = "Zhao et al.: LOKI. IEEE S&P 2024, arXiv 2303.12233"
_GGL = "Li et al.: Auditing Privacy Defenses via Generative Gradient Leakage. CVPR 2022, arXiv 2203.15696"
_CI_NET = "Zhang et al.: Generative Gradient Inversion via Over-Parameterized Networks. ICCV 2023"


@dataclass(frozen=True, slots=True)
class PublishedAttack:
    """An attack's name and source; ``presets`` and ``closed_form`` hold the attack itself."""

    name: str
    citation: str
    iterations: int | None = None
    """The length of the search; ``None`` for a closed form, which searches nothing."""


ATTACKS = {
    attack.name: attack
    for attack in (
        # The codes with L-BFGS take 300 steps of up to 20 iterations each.
        PublishedAttack("dlg", _DLG, 6000),
        PublishedAttack("idlg", _IDLG, 6000),
        PublishedAttack("inverting-gradients", _INVERTING, 24_000),
        PublishedAttack("inversed", _SEMSIM, 8000),
        PublishedAttack("inversed-zero", _SEMSIM, 4800),
        PublishedAttack("inversed-per-output", _SEMSIM, 4800),
        PublishedAttack("inversed-sgd", _SEMSIM, 4800),
        PublishedAttack("inversed-lbfgs", _SEMSIM, 6000),
        PublishedAttack("inversed-l1", _SEMSIM, 4800),
        PublishedAttack("inversed-l2", _SEMSIM, 4800),
        PublishedAttack("inversed-large", _SEMSIM, 12_000),
        PublishedAttack("inversed-cele", _SEMSIM, 12_000),
        PublishedAttack("modern", _MODERN, 24_000),
        PublishedAttack("grad-inversion", _SEE_THROUGH, 20_000),
        PublishedAttack("smooth", _SMOOTH, 1000),
        PublishedAttack("batch-statistics", _BATCH, 1000),
        PublishedAttack("ggl", _GGL, 2500),
        PublishedAttack("ci-net", _CI_NET, 5000),
        PublishedAttack("closed-form", _CLOSED),
        PublishedAttack("imprint", _IMPRINT),
        PublishedAttack("loki", _LOKI),
    )
}
