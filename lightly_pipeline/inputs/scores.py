"""Active-learning scores from predictions.

Formulas on plain arrays; which entries are of which frame is `entries.py`'s business. All scores
lie in 0 to 1, higher for what a model is less sure of.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_CONFIDENCE = "uncertainty_least_confidence"
MARGIN = "uncertainty_margin"
ENTROPY = "uncertainty_entropy"
UNCERTAINTIES = (LEAST_CONFIDENCE, MARGIN, ENTROPY)
OBJECT_FREQUENCY = "object_frequency"
OBJECTNESS = "objectness_least_confidence"
MEAN_UNCERTAINTY = "mean_uncertainty"

_FREQUENCY_PENALTY = 0.25
_MIN_FREQUENCY_SCORE = 0.9

_OBJECT_SCORES = (OBJECT_FREQUENCY, OBJECTNESS, *UNCERTAINTIES)
SCORES_OF_TASK = {
    "classification": UNCERTAINTIES,
    "object-detection": _OBJECT_SCORES,
    "instance-segmentation": _OBJECT_SCORES,
    "keypoint-detection": (MEAN_UNCERTAINTY, *_OBJECT_SCORES),
    "semantic-segmentation": UNCERTAINTIES,
}
"""The scores that predictions of a task give, by task type."""


def uncertainties(probabilities: NDArray[np.float64], score: str) -> NDArray[np.float64]:
    """Returns an uncertainty per row of probabilities, each scaled so that uniform gives 1.

    Args:
        probabilities: Shape (B, C), rows of sum 1.
        score: Least confidence 1 - max p; margin 1 - (p1 - p2); entropy -sum p log2 p.

    Returns:
        Shape (B,); 0 for a certain row, 1 for a uniform one, 0 throughout when C is 1.
    """
    n_classes = probabilities.shape[1]
    if n_classes < 2:
        return np.zeros(len(probabilities))
    if score == LEAST_CONFIDENCE:
        values = (1 - probabilities.max(axis=1)) / (1 - 1 / n_classes)
    elif score == MARGIN:
        second, first = np.sort(probabilities, axis=1)[:, -2:].T
        values = 1 - (first - second)
    else:
        logs = np.log2(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
        values = -(probabilities * logs).sum(axis=1) / np.log2(n_classes)
    clipped: NDArray[np.float64] = np.clip(values, 0, 1)
    return clipped


def effective_counts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns how many objects count: 1 for the first of each class, 0.25 for each further one.

    Args:
        counts: Shape (n, C), objects per frame and class.

    Returns:
        Shape (n,).
    """
    present = counts > 0
    effective: NDArray[np.float64] = (present + _FREQUENCY_PENALTY * (counts - present)).sum(axis=1)
    return effective


def object_frequencies(effective_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the effective counts of all frames, shape (N,), mapped to 0.9 (fewest) to 1 (most).

    Frames that all have the same count have 1.
    """
    low, high = effective_counts.min(initial=np.inf), effective_counts.max(initial=0.0)
    if high <= low:
        return np.ones_like(effective_counts)
    share = (effective_counts - low) / (high - low)
    scores: NDArray[np.float64] = _MIN_FREQUENCY_SCORE + (1 - _MIN_FREQUENCY_SCORE) * share
    return scores
