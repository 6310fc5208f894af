"""`manage.py generate`: batch by batch, now, or one line that says why not."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from game.pool.models import Category, Tweet
from generation import batches
from generation.models import Batch, ModelVersion
from generation.services import find_recent, find_resting


def test_it_fills_the_pool_and_prints_what_became_of_every_sample(model: ModelVersion, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("generate", "starlings", "--count", "12")
    batch = Batch.objects.get()
    assert (batch.state, batch.kept, Tweet.objects.count()) == ("done", 12, 12)
    rows = [tuple(cell.strip() for cell in line.split("│")[1:3]) for line in capsys.readouterr().out.splitlines() if "│" in line]
    dropped = sorted(batch.dropped.items(), key=lambda item: -item[1])
    assert rows == [("kept", "12"), *((reason, str(count)) for reason, count in dropped), ("drawn", str(batch.made))]


def test_many_are_written_in_batches_of_the_size_that_workers_take(
    model: ModelVersion, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.GENERATION_BATCH_SIZE = 5
    call_command("generate", "starlings", "--count", "12")
    done = list(Batch.objects.order_by("pk"))
    assert [(batch.state, batch.wanted, batch.kept) for batch in done] == [("done", 5, 5), ("done", 5, 5), ("done", 2, 2)]
    cells = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    rows = {row[1].strip(): row[2].strip() for row in cells}
    assert (rows["kept"], rows["drawn"]) == ("12", str(sum(batch.made for batch in done)))
    assert {name: int(count) for name, count in rows.items() if name not in ("kept", "drawn")} == {
        name: sum(batch.dropped.get(name, 0) for batch in done) for batch in done for name in batch.dropped
    }


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_is_stored_and_leaves_no_batch_behind(
    model: ModelVersion, settings: Any, monkeypatch: pytest.MonkeyPatch, signum: int
) -> None:
    settings.GENERATION_BATCH_SIZE = 5
    store, before = batches._store, signal.getsignal(signal.SIGTERM)

    def interrupt_the_second(*args: object) -> None:
        if Batch.objects.filter(state="done").exists():
            os.kill(os.getpid(), signum)
        store(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "_store", interrupt_the_second)
    with pytest.raises(CommandError, match=r"^Interrupted: 5 of the 12 asked for were kept so far\.$") as error:
        call_command("generate", "starlings", "--count", "12")
    assert error.value.returncode == 1
    assert [(batch.state, batch.kept) for batch in Batch.objects.all()] == [("done", 5)]
    assert Tweet.objects.count() == 5
    assert find_resting(find_recent(models=[model])) == {}
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_unknown_category_is_refused_with_those_there_are(category: Category) -> None:
    with pytest.raises(CommandError, match=r"^No category 'starling'\. There are: starlings\.$"):
        call_command("generate", "starling", "--count", "5")


def test_a_category_without_a_model_is_refused(category: Category) -> None:
    with pytest.raises(CommandError, match=r"^starlings has no active model: train one, or register one\.$"):
        call_command("generate", "starlings", "--count", "5")


@pytest.mark.parametrize("count", ["0", "-3", "1000001", "99999999999"])
def test_a_count_out_of_bounds_is_refused(model: ModelVersion, count: str) -> None:
    with pytest.raises(CommandError, match=r"^--count must be from 1 to 1,000,000\.$"):
        call_command("generate", "starlings", "--count", count)
    assert not Batch.objects.exists()


def test_a_spoilt_model_is_one_line(register: Callable[..., ModelVersion]) -> None:
    def spoil(folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{")

    model = register(spoil)
    with pytest.raises(CommandError, match=f"^{model.folder} holds no model that can be loaded on cpu: .*$"):
        call_command("generate", "starlings", "--count", "5")
    assert Batch.objects.get().state == "failed"
