"""`manage.py generate`: one batch, now, or one line that says why not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from game.pool.models import Category, Tweet
from generation.models import Batch, ModelVersion


def test_it_fills_the_pool_and_prints_what_became_of_every_sample(model: ModelVersion, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("generate", "starlings", "--count", "12")
    batch = Batch.objects.get()
    assert (batch.state, batch.kept, Tweet.objects.count()) == ("done", 12, 12)
    rows = [tuple(cell.strip() for cell in line.split("│")[1:3]) for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert rows == [("kept", "12"), *((reason, str(count)) for reason, count in batch.dropped.items()), ("drawn", str(batch.made))]


def test_an_unknown_category_is_refused_with_those_there_are(category: Category) -> None:
    with pytest.raises(CommandError, match=r"^No category 'starling'\. There are: starlings\.$"):
        call_command("generate", "starling", "--count", "5")


def test_a_category_without_a_model_is_refused(category: Category) -> None:
    with pytest.raises(CommandError, match=r"^starlings has no active model: train one, or register one\.$"):
        call_command("generate", "starlings", "--count", "5")


@pytest.mark.parametrize("count", ["0", "-3"])
def test_nothing_to_do_is_refused(model: ModelVersion, count: str) -> None:
    with pytest.raises(CommandError, match=r"^--count must be at least 1\.$"):
        call_command("generate", "starlings", "--count", count)
    assert not Batch.objects.exists()


def test_a_spoilt_model_is_one_line(register: Callable[..., ModelVersion]) -> None:
    def spoil(folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{")

    model = register(spoil)
    with pytest.raises(CommandError, match=f"^{model.folder} holds no model that can be loaded on cpu: .*$"):
        call_command("generate", "starlings", "--count", "5")
    assert Batch.objects.get().state == "failed"
