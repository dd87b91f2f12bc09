"""Are the phantoms hard enough? The best that any window of HU can do, found by trying all of them."""

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter

from lesionflow.phantoms import make_study

N_PATIENTS, SEED = 20, 13
EDGES_HU = np.arange(-200, 305, 5)
#: Air and lung are nobody's tumor: a reader would look inside of the body only.
BODY_HU = -250


def run() -> None:
    """Print the mean Dice of the best window over patients, and of each patient's own best window."""
    rules = {
        "HU in a window": lambda hu: hu,
        "after a median filter of 3 voxels": lambda hu: median_filter(hu, 3),
        "after a Gaussian filter of 1 voxel": lambda hu: gaussian_filter(hu, 1.0),
    }
    scores = {name: [] for name in rules}
    for index in range(N_PATIENTS):
        study = make_study(SEED, index, "ct")
        tumor = study.truth.labels > 0
        if tumor.any():
            for name, smooth in rules.items():
                scores[name].append(_dice_of_windows(smooth(study.channels["CT"].array[0]), tumor))
    print(f"{'rule':40} {'one window for all':>20} {'the best for each':>20}")
    for name, tables in scores.items():
        stack = np.stack(tables)
        print(f"{name:40} {stack.mean(0).max():20.3f} {stack.reshape(len(stack), -1).max(1).mean():20.3f}")


def _dice_of_windows(hu: np.ndarray, tumor: np.ndarray) -> np.ndarray:
    """Return Dice (first edge, last edge) of every window at once, by cumulated histograms."""
    inside = hu > BODY_HU
    hit = np.concatenate([[0], np.cumsum(np.histogram(hu[tumor & inside], EDGES_HU)[0])])
    taken = np.concatenate([[0], np.cumsum(np.histogram(hu[inside], EDGES_HU)[0])])
    true_positive, found = hit[None, :] - hit[:, None], taken[None, :] - taken[:, None]
    dice = 2 * true_positive / np.maximum(found + tumor.sum(), 1)
    return np.where(found > 0, dice, 0.0)


if __name__ == "__main__":
    run()
