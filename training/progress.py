"""From progress.jsonl, which fine-tuning appends to, to the loss curve and samples that people watch."""

import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction

from game.pool.rules import normalise
from training.models import TrainingPoint, TrainingSample
from training.services import RunClaim

_LOSSES = ("train_loss", "held_back_loss")


class ProgressTail:
    """Reads what was added to a run's progress.jsonl since it last looked."""

    def __init__(self, claim: RunClaim) -> None:
        self.claim = claim
        self.path = claim.run.path / "progress.jsonl"
        self.at = 0
        self.afresh = True

    def look(self) -> bool:
        """Write down what is new, and say whether there was any; raises LostRunError."""
        entries = list(self._read())
        if not entries:
            return False
        with transaction.atomic():
            if self.afresh:
                self._forget()
            self._note(entries)
        return True

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            if self.path.stat().st_size < self.at:
                # A resumed run has dropped what came after its checkpoint.
                self.at, self.afresh = 0, True
            with self.path.open("rb") as lines:
                lines.seek(self.at)
                added = lines.read()
        except FileNotFoundError:
            return
        whole, end, _ = added.rpartition(b"\n")  # the last line may be half written
        self.at += len(whole + end)
        for line in whole.splitlines():
            yield json.loads(line)

    def _forget(self) -> None:
        TrainingPoint.objects.filter(run=self.claim.run).delete()
        TrainingSample.objects.filter(run=self.claim.run).delete()
        self.afresh = False

    def _note(self, entries: list[dict[str, Any]]) -> None:
        run = self.claim.run
        for loss in _LOSSES:
            # By step: a check has both losses, on two lines. The later of two lines counts.
            points = {
                entry["step"]: TrainingPoint(run=run, step=entry["step"], seconds=entry["seconds"]) for entry in entries if loss in entry
            }
            for entry in entries:
                if loss in entry:
                    setattr(points[entry["step"]], loss, entry[loss])
            TrainingPoint.objects.bulk_create(
                points.values(), update_conflicts=True, unique_fields=["run", "step"], update_fields=[loss, "seconds"]
            )
        # A young model writes anything, and no database takes it all.
        samples = [
            TrainingSample(run=run, step=entry["step"], position=position, text=normalise(text))
            for entry in entries
            for position, text in enumerate(entry.get("samples", ()))
        ]
        TrainingSample.objects.bulk_create(samples, ignore_conflicts=True)
        for entry in entries:
            if "note" in entry:
                self.claim.add_note(entry["note"])
        last = next((entry for entry in reversed(entries) if "steps" in entry), None)
        self.claim.update(**{key: last[key] for key in ("step", "steps", "seconds")} if last else {"step": run.step})
