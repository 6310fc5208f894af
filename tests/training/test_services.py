"""From the pool to a corpus, and from the steps' files to a card."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, is_copied, made_up_words
from training.cards import write_card
from training.corpora import NoCorpusError, export_corpus
from training.steps.recipe import Recipe

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TEXTS = [f"We counted {number} geese above the quiet harbour this morning." for number in NUMBERS]
TRAIN = [text for text in TEXTS if is_for_training(fingerprint(text))]
PLAY = [text for text in TEXTS if text not in TRAIN]


def add(category: Category, texts: Iterable[str], *, status: str = Status.APPROVED, kind: str = Kind.HUMAN, handle: str = "olga") -> None:
    author = get_author(kind=kind, platform="model" if kind == Kind.MACHINE else "twitter", handle=handle)
    tweets = [NewTweet(author=author, text=text, posted_at=datetime(2016, 5, day, tzinfo=UTC)) for day, text in enumerate(texts, 1)]
    assert all(add_tweets(category=category, tweets=tweets, status=status))


@pytest.fixture
def geese(db: None) -> Category:
    category = Category.objects.create(slug="geese", name="Geese")
    add(category, TEXTS)
    return category


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_corpus_holds_the_approved_human_tweets_each_split_in_its_file(geese: Category, tmp_path: Path) -> None:
    add(geese, ["This one waits for a moderator and its zebra."], status=Status.PENDING)
    add(geese, ["This one was refused together with its zebra."], status=Status.REJECTED)
    add(geese, ["This one was written by a model about a zebra."], kind=Kind.MACHINE, handle="m-v1")
    out = tmp_path / "corpus"
    corpus = export_corpus(category=geese, out=out)
    assert [line["text"] for line in lines(out / "train.jsonl")] == TRAIN
    assert [line["text"] for line in lines(out / "heldout.jsonl")] == PLAY
    assert len(TRAIN) + len(PLAY) == 12
    assert lines(out / "train.jsonl")[0] == {
        "text": TRAIN[0],
        "author": "olga",
        "posted_at": f"2016-05-{TEXTS.index(TRAIN[0]) + 1:02}T00:00:00+00:00",
    }
    assert corpus == json.loads((out / "corpus.json").read_text(encoding="utf-8"))
    assert corpus == {
        "category": "geese",
        "language": "en",
        "train": len(TRAIN),
        "heldout": len(PLAY),
        "authors": {"olga": 12},
        "split": "60% of the approved tweets, chosen by the hash of their text",
        "sha256": hashlib.sha256((out / "train.jsonl").read_bytes()).hexdigest(),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_corpus_does_not_depend_on_the_order_of_imports(geese: Category, tmp_path: Path) -> None:
    first = export_corpus(category=geese, out=tmp_path / "a")
    geese.tweets.all().delete()
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="olga")
    backwards = [NewTweet(author=author, text=text, posted_at=datetime(2016, 5, day, tzinfo=UTC)) for day, text in enumerate(TEXTS, 1)][
        ::-1
    ]
    add_tweets(category=geese, tweets=backwards, status=Status.APPROVED)
    assert export_corpus(category=geese, out=tmp_path / "b") == first


def test_known_words_and_runs_come_from_the_train_split_alone(geese: Category, tmp_path: Path) -> None:
    export_corpus(category=geese, out=tmp_path / "corpus")
    words = HashedSet.from_bytes((tmp_path / "corpus" / "words.bin").read_bytes(), WORD_BYTES)
    runs = HashedSet.from_bytes((tmp_path / "corpus" / "runs.bin").read_bytes(), RUN_BYTES)
    in_train = {text.split()[2] for text in TRAIN}
    assert made_up_words(" ".join(NUMBERS), words) == [number for number in NUMBERS if number not in in_train]
    assert is_copied(TRAIN[0], runs)
    assert not is_copied("We counted zero geese above the quiet harbour.", runs)


def test_the_bases_words_are_known_unless_they_are_of_a_tweet_that_is_played(geese: Category, tmp_path: Path) -> None:
    lake = Category.objects.create(slug="lake", name="Lake")
    add(lake, ["Nobody swims across the frozen lake in January.", PLAY[0]], status=Status.PENDING)
    export_corpus(category=geese, out=tmp_path / "corpus", words_from=[lake])
    words = HashedSet.from_bytes((tmp_path / "corpus" / "words.bin").read_bytes(), WORD_BYTES)
    played = PLAY[0].split()[2]
    assert made_up_words(f"frozen January zebra {played}", words) == ["zebra", played]


def test_a_corpus_that_cannot_be_written_leaves_the_old_one(geese: Category, tmp_path: Path) -> None:
    export_corpus(category=geese, out=tmp_path / "corpus")
    before = (tmp_path / "corpus" / "train.jsonl").read_bytes()
    geese.tweets.filter(split="play").delete()
    with pytest.raises(NoCorpusError, match="geese has no approved human tweets for play: import some first"):
        export_corpus(category=geese, out=tmp_path / "corpus")
    assert (tmp_path / "corpus" / "train.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_folder_that_is_no_corpus_is_not_replaced(geese: Category, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CommandError, match="exists and is not a corpus: name another folder"):
        call_command("export_corpus", "geese", "--out", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_says_what_it_wrote(geese: Category, tmp_path: Path) -> None:
    said = StringIO()
    call_command("export_corpus", "geese", "--out", str(tmp_path / "corpus"), stdout=said)
    assert said.getvalue() == f"{tmp_path / 'corpus'}: {len(TRAIN)} tweets to train on, {len(PLAY)} held out\n"


@pytest.mark.django_db
def test_the_command_names_categories_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"No such category: ducks, swans\."):
        call_command("export_corpus", "ducks", "--words-from", "swans", "--out", str(tmp_path / "corpus"))


def test_a_card_tells_what_a_model_was_made_from_and_how_it_scores(trained: Recipe) -> None:
    card = write_card(recipe=trained)
    model = Path(trained.out) / "model"
    assert json.loads((model / "card.json").read_text(encoding="utf-8")) == card
    corpus = json.loads((Path(trained.corpus) / "corpus.json").read_text(encoding="utf-8"))
    assert (card["name"], card["version"], card["category"], card["base"]) == ("tiny", 1, "birds", "random weights")
    assert card["corpus_sha256"] == corpus["sha256"]
    assert card["base_sha256"] == json.loads((Path(trained.out) / "tuned" / "training.json").read_text())["base_sha256"]
    assert card["sampling"] == {"topk": 200, "topp": 0.95, "temperature": 1.0, "max_tokens": 48, "candidates": 2, "sharpness": 2.0}
    assert card["recipe"]["rate"] == 0.02
    raw, served, human = (card["scores"][kind] for kind in ("raw", "served", "human"))
    # The held-out sentences have no word that the others lack; of eight words they are all new.
    assert (human["made_up"], human["copied"]) == (0.0, 0.0)
    assert 0 < raw["made_up"] < 1
    assert (served["made_up"], served["copied"]) == (0.0, 0.0)
    page = (model / "README.md").read_text(encoding="utf-8")
    assert "Fine-tuned on 81 tweets by nan" in page
    assert f"{card['scores']['bits_per_byte']:.3f} bits per byte on 27 held-out tweets" in page
    assert f"| with a made-up word | {raw['made_up']:.1%} | 0.0% | 0.0% |" in page
    assert f"| length a tweet | {raw['profile']['length']:.2f} (AUC {raw['features']['length']:.2f}) |" in page
