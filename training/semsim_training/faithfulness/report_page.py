"""``report.html``: one file that shows a report and loads nothing."""

import base64
from collections import Counter
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from semsim_training.annotation.agreement_table import PLURALS
from semsim_training.faithfulness.metric_agreement import Statistic
from semsim_training.faithfulness.report import FaithfulnessReport, ImagePair, SettingPair
from semsim_training.faithfulness.study import ANNOTATORS
from semsim_training.faithfulness.wording import (
    STATISTICS,
    caveats,
    figure_text,
    lead_text,
    levels,
    metric_name,
    short_names,
    statistic_name,
    summary,
    title,
    victims_title,
)

_SHOWN_PAIRS = 60
_SHOWN_IMAGES = 2


def render(report: FaithfulnessReport, pictures: Mapping[str, bytes]) -> str:
    """The page, with ``pictures`` (PNG, by name) inside; text from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("semsim_training.faithfulness", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure_text,
        "lead": lead_text,
        "statistic": lambda statistic: STATISTICS[statistic],
        "number": lambda value: "not defined" if value is None else f"{value:.3f}",
        "full_statistic": statistic_name,
        "metric": lambda name: metric_name(report, name),
    }
    judged = [pair for pair in report.setting_pairs if pair.first == ANNOTATORS]
    return environment.get_template("report.html").render(
        report=report,
        title=title(report),
        who=PLURALS[report.judged_by],
        summary=summary(report),
        caveats=caveats(report),
        levels=levels(),
        victims_title=victims_title,
        over_images=(Statistic.AUC, Statistic.JUDGEMENT_AUC),
        compared=(Statistic.AUC, Statistic.IMAGE_SPEARMAN, Statistic.SETTING_SPEARMAN),
        short=short_names([setting.name for setting in report.settings]),
        judged_pairs=judged[:_SHOWN_PAIRS],
        judged_count=len(judged),
        counts=_counts(report.correlations.names, report.setting_pairs),
        twins=report.correlations.twins,
        image_pairs=_furthest(report),
        pictures={name: base64.b64encode(data).decode() for name, data in pictures.items()},
    )


def _counts(names: tuple[str, ...], pairs: tuple[SettingPair, ...]) -> list[list[int]]:
    """The number of pairs of settings that each two metrics order differently."""
    counts = Counter(frozenset((pair.first, pair.second)) for pair in pairs)
    return [[counts[frozenset((first, second))] for second in names] for first in names]


def _furthest(report: FaithfulnessReport) -> list[ImagePair]:
    """A few images of which each metric and the annotators differ most; those of equal metrics once."""
    seen: Counter[tuple[str, str]] = Counter()
    furthest = []
    for pair in report.image_pairs:
        names = pair.first, pair.second
        seen[names] += 1
        if ANNOTATORS in names and seen[names] <= _SHOWN_IMAGES and not set(names) & set(report.correlations.twins):
            furthest.append(pair)
    return furthest
