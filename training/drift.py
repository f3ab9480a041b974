"""Has what a model sees changed? Compare histograms of scores.

PSI is the population stability index, the symmetric Kullback-Leibler divergence of two histograms,
read by its usual bands: below 0.1 steady, from 0.25 on large. On few images chance alone gives large
values: n*m/(n+m) times PSI is distributed about as chi-square (Yurdakul 2018, "Statistical properties
of population stability index"), so what chance reaches in one of 1000 samples is no drift. KS is the
two-sample test of Kolmogorov and Smirnov on the bins, its p-value by Stephens (1970).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.drift import Distribution
from fakesweep.errors import ModelError

MODERATE, LARGE = 0.1, 0.25  # the usual bands of PSI
KS_DISTANCE, KS_P = 0.1, 0.001
CHANCE_Z = 3.09  # of the standard normal distribution: one in 1000
SMALLEST = 50  # images with a score; fewer tell nothing
SMOOTHING = 0.5  # images added to each bin (Jeffreys), so that an empty one is not impossible
EM_STEPS, EM_CLOSE = 2000, 1e-9
BINS = 20

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """What scores are compared with.

    Attributes:
        edges: Of the bins, ascending from 0 to 1.
        real: Images by bin; real photos where `fake` is given, else whatever was there.
        fake: Fakes by bin; None: it is not known which images were fake.
        no_face_share: Share of images without a face, 0 to 1.
        failed_share: Share of images without a verdict, 0 to 1.
        name: Where it comes from, in words.
    """

    edges: tuple[float, ...]
    real: Counts
    fake: Counts | None
    no_face_share: float
    failed_share: float
    name: str

    @property
    def images(self) -> float:
        """About how many images it was made from, those without a score included."""
        scored = float(self.real.sum() + (0 if self.fake is None else self.fake.sum()))
        return scored / max(1.0 - self.no_face_share - self.failed_share, 0.01)


@dataclass(frozen=True)
class Distance:
    """How far one histogram is from another; `chance` is the PSI that chance alone reaches."""

    psi: float
    chance: float
    ks: float
    ks_p: float

    @property
    def level(self) -> str:
        """`steady`, `moderate` or `large`."""
        if self.psi >= LARGE and self.psi > self.chance:
            return "large"
        moved = self.ks >= KS_DISTANCE and self.ks_p < KS_P
        return (
            "moderate" if moved or (self.psi >= MODERATE and self.psi > self.chance) else "steady"
        )


@dataclass(frozen=True)
class Drift:
    """What was found of one source root.

    Attributes:
        real: Distance from the reference's real photos, or from all of it.
        fake_share: The share of fakes that fits the scores best, 0 to 1.
        mixture: Distance from real photos and fakes mixed by that share.
        state: `steady`; `more_fakes`: the mixture explains the scores; `drift`: it does not;
            `too_few` images to tell.
        warnings: In words, what to look at; none when all is steady.
    """

    state: str
    warnings: tuple[str, ...]
    no_face_share: float
    failed_share: float
    real: Distance | None = None
    fake_share: float | None = None
    mixture: Distance | None = None


def read_reference(training: dict[str, Any], version: str) -> Reference | None:
    """Read the reference of a model card; None where the card has none.

    Raises:
        ModelError: The card's reference is not as expected.
    """
    fields = training.get("reference")
    if fields is None:
        return None
    try:
        edges = tuple(float(edge) for edge in fields["edges"])
        real, fake = (np.asarray(fields[name], dtype=float) for name in ("real", "fake"))
        shares = float(fields["no_face_share"]), float(fields["failed_share"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"card of {version}: its reference for drift is damaged: {error}"
        ) from error
    if not (real.shape == fake.shape == (len(edges) - 1,)) or list(edges) != sorted(set(edges)):
        raise ModelError(
            f"card of {version}: the reference for drift needs ascending edges and one count for"
            f" each bin. Received: {len(edges)} edges, {real.size} and {fake.size} counts"
        )
    if min(real.sum(), fake.sum()) <= 0:
        raise ModelError(f"card of {version}: the reference for drift counts no image")
    return Reference(edges, real, fake, *shares, name=f"the card of {version}")


def measure_drift(found: Distribution, reference: Reference) -> Drift:
    """Compare the verdicts of a source root with a reference."""
    observed = np.asarray(found.counts, dtype=float)
    images = max(found.images, 1)
    shares = found.no_face / images, found.failed / images
    warnings = []
    for name, share, expected in (
        ("no_face", shares[0], reference.no_face_share),
        ("failed", shares[1], reference.failed_share),
    ):
        if _share_level(share, found.images, expected, reference.images) != "steady":
            warnings.append(f"{name} {share:.1%} of the images, {expected:.1%} in the reference")
    if observed.sum() < SMALLEST:
        return Drift("too_few", tuple(warnings), *shares)
    real = distance(observed, smooth(reference.real), 1 / reference.real.sum())
    if reference.fake is None:
        state = "steady" if real.level == "steady" else "drift"
        if state == "drift":
            warnings.append(f"scores: {real.level} drift, PSI {real.psi:.3f}, KS {real.ks:.3f}")
        return Drift(state, tuple(warnings), *shares, real)
    expected_real, expected_fake = smooth(reference.real), smooth(reference.fake)
    fake_share = fit_fake_share(observed, expected_real, expected_fake)
    mixture = distance(
        observed,
        fake_share * expected_fake + (1 - fake_share) * expected_real,
        fake_share**2 / reference.fake.sum() + (1 - fake_share) ** 2 / reference.real.sum(),
    )
    state = "steady"
    if mixture.level != "steady":
        state = "drift"
        warnings.append(
            f"scores: {mixture.level} drift, no mixture of real photos and fakes explains them:"
            f" PSI {mixture.psi:.3f}, KS {mixture.ks:.3f}"
        )
    elif real.level != "steady":
        state = "more_fakes"
        warnings.append(
            f"scores: not those of real photos (PSI {real.psi:.3f}) but of a mixture with"
            f" {fake_share:.0%} fakes, or real photos of a new kind that look like them"
        )
    return Drift(state, tuple(warnings), *shares, real, fake_share, mixture)


def smooth(counts: Counts) -> Counts:
    """Turn counts into shares that sum to 1, none of them 0."""
    smoothed: Counts = (counts + SMOOTHING) / (counts.sum() + SMOOTHING * len(counts))
    return smoothed


def fit_fake_share(observed: Counts, real: Counts, fake: Counts) -> float:
    """Fit the share of fakes by maximum likelihood, with the EM algorithm.

    Args:
        observed: Images by bin.
        real: Share of real photos by bin, none 0.
        fake: Share of fakes by bin, none 0.
    """
    share = 0.5
    for _ in range(EM_STEPS):
        belongs = share * fake / (share * fake + (1 - share) * real)
        before, share = share, float((observed * belongs).sum() / observed.sum())
        if abs(share - before) < EM_CLOSE:
            break
    return share


def distance(observed: Counts, expected: Counts, expected_variance: float) -> Distance:
    """Measure how far counts are from expected shares.

    Args:
        expected: Share by bin, none 0.
        expected_variance: One over the number of images that the shares were counted from.
    """
    total = float(observed.sum())
    variance = 1 / total + expected_variance
    shares = smooth(observed)
    psi = float(((shares - expected) * np.log(shares / expected)).sum())
    ks = float(np.abs(np.cumsum(observed / total - expected)).max())
    chance = chi_square_bound(len(observed) - 1) * variance
    return Distance(psi, chance, ks, ks_p_value(ks, 1 / variance))


def chi_square_bound(freedom: int) -> float:
    """What a chi-square variable exceeds once in 1000 times (Wilson and Hilferty 1931)."""
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + CHANCE_Z * spread**0.5) ** 3)


def ks_p_value(ks: float, images: float) -> float:
    """The chance that two samples of one kind, together worth `images`, are so far apart."""
    root = images**0.5
    scaled = (root + 0.12 + 0.11 / root) * ks
    if scaled < 0.2:  # the series does not converge there, and the chance is 1
        return 1.0
    steps = np.arange(1, 101)
    series = 2 * ((-1.0) ** (steps - 1) * np.exp(-2 * steps**2 * scaled**2)).sum()
    return float(min(max(series, 0.0), 1.0))


def _share_level(share: float, images: int, expected: float, expected_images: float) -> str:
    if not images:
        return "steady"
    observed = np.array([share, 1 - share]) * images
    reference = np.array([expected, 1 - expected]) * expected_images
    found = distance(observed, smooth(reference), 1 / expected_images)
    return found.level
