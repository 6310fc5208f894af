"""Teach a judge to tell people's tweets from a model's: `python -m training.steps.judge RECIPE.toml`.

Reads features.npz, of texts by people and by the model, and writes model/judge.bin, by which the game chooses among what the model
writes (generation/judge.py). What a bucket stands for is none of its business.
"""

import json
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from training.steps.files import run_step, written_aside
from training.steps.recipe import Recipe, StepError

# As in generation/judge.py.
FORMAT = 1
BUCKETS = 1 << 18
MAX_WEIGHT = 127

FOLDS = 5


def judge(recipe: Recipe) -> None:
    out = Path(recipe.out)
    if not (out / "features.npz").exists():
        raise StepError(f"{out / 'features.npz'} is missing: draw samples and write their features first")
    with np.load(out / "features.npz") as data:
        human, weights = data["human"].astype(bool), data["weights"]
        if min(human.sum(), (~human).sum()) < FOLDS:
            raise StepError(f"{human.sum()} texts by people and {(~human).sum()} samples are too few for a judge to learn from")
        texts = csr_matrix((data["values"], data["buckets"], data["starts"]), shape=(len(human), BUCKETS))
    # Both sides count alike: the odds are then the ratio of the densities.
    weights = np.where(human, weights / weights[human].sum(), weights / weights[~human].sum()) * human.sum()
    model = LogisticRegression(C=recipe.judge_trust, max_iter=500)
    folds = StratifiedKFold(n_splits=FOLDS, shuffle=True, random_state=recipe.seed)
    unseen = cross_val_predict(model, texts, human, cv=folds, method="decision_function", params={"sample_weight": weights})
    model.fit(texts, human, sample_weight=weights)
    found = model.coef_[0]
    scale = float(np.abs(found).max()) / MAX_WEIGHT or 1.0
    with written_aside(out / "model" / "judge.bin") as aside:
        head = {"format": FORMAT, "scale": scale}
        aside.write_bytes(json.dumps(head).encode() + b"\n" + np.rint(found / scale).astype(np.int8).tobytes())
    auc = roc_auc_score(human, unseen, sample_weight=weights)
    print(f"judge: {human.sum():,} texts by people, {(~human).sum():,} samples; AUC {auc:.3f} on texts that it did not learn from")


if __name__ == "__main__":
    run_step(judge)
