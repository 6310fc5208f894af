"""What a base is trained on: everything but what players of the shipped categories will be shown."""

import hashlib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from game.pool.models import Category, Status, Tweet
from game.pool.rules import fingerprint
from generation.rules import WORD_BYTES, HashedSet, learned, word_hash
from tests.training.test_services import PLAY, TEXTS, TRAIN, add, lines
from training.corpora import NoCorpusError, export_base_corpus

OTHERS = ["Every tide leaves a ring of green glass on the slipway.", "Nobody paints the lighthouse in a wet summer, said the keeper."]


@pytest.fixture
def geese(db: None) -> Category:
    category = Category.objects.create(slug="geese", name="Geese")
    add(category, TEXTS)
    return category


@pytest.fixture
def coast(geese: Category) -> Category:
    category = Category.objects.create(slug="coast", name="Coast")
    # Pending ones are good enough: nobody will see them.
    add(category, OTHERS, status=Status.PENDING, handle="per")
    add(category, [PLAY[0], TRAIN[0], f"Well! {PLAY[1]} And then the rain began."], handle="per")
    return category


def test_a_base_reads_both_splits_less_what_is_played_and_what_repeats_it(coast: Category, geese: Category, tmp_path: Path) -> None:
    corpus = export_base_corpus(categories=[coast], less=[geese], out=tmp_path / "corpus")
    assert {line["text"] for line in lines(tmp_path / "corpus" / "train.jsonl")} == {*OTHERS, TRAIN[0]}
    assert (corpus["category"], corpus["train"], corpus["left_out"]) == ("base", 3, 2)
    assert corpus["split"] == "both splits of coast, less what is played in geese"
    assert corpus["sha256"] == hashlib.sha256((tmp_path / "corpus" / "train.jsonl").read_bytes()).hexdigest()


def test_its_words_and_marks_travel_with_it(coast: Category, geese: Category, tmp_path: Path) -> None:
    export_base_corpus(categories=[coast], less=[geese], out=tmp_path / "corpus")
    words = HashedSet.from_bytes((tmp_path / "corpus" / "words.bin").read_bytes(), WORD_BYTES)
    assert word_hash("lighthouse") in words
    assert word_hash("rain") not in words
    marks = (tmp_path / "corpus" / "learned.bin").read_bytes()
    assert marks == learned(map(fingerprint, [*OTHERS, TRAIN[0]])).to_bytes()


def test_a_text_of_two_categories_is_written_once_and_a_withdrawn_one_not_at_all(coast: Category, geese: Category, tmp_path: Path) -> None:
    Tweet.objects.filter(category=coast, text=OTHERS[0]).update(status=Status.WITHDRAWN)
    harbour = Category.objects.create(slug="harbour", name="Harbour")
    add(harbour, OTHERS, handle="ida")
    export_base_corpus(categories=[coast, harbour], less=[geese], out=tmp_path / "corpus")
    assert sorted(line["text"] for line in lines(tmp_path / "corpus" / "train.jsonl")) == sorted([OTHERS[1], TRAIN[0]])


def test_the_same_tweets_give_the_same_file_whatever_the_order_of_imports(coast: Category, geese: Category, tmp_path: Path) -> None:
    first = export_base_corpus(categories=[coast], less=[geese], out=tmp_path / "corpus")
    inlet = Category.objects.create(slug="inlet", name="Inlet")
    add(inlet, [TRAIN[0], *reversed(OTHERS)], handle="per")
    again = export_base_corpus(categories=[inlet], less=[geese], out=tmp_path / "again")
    texts = [[line["text"] for line in lines(tmp_path / name / "train.jsonl")] for name in ("corpus", "again")]
    assert texts[0] == texts[1]
    assert first["train"] == again["train"]


def test_categories_without_tweets_leave_an_older_corpus_alone(coast: Category, geese: Category, tmp_path: Path) -> None:
    export_base_corpus(categories=[coast], less=[geese], out=tmp_path / "corpus")
    empty = Category.objects.create(slug="empty", name="Empty")
    with pytest.raises(NoCorpusError, match="empty: no human tweets to train on; import some first"):
        export_base_corpus(categories=[empty], less=[geese], out=tmp_path / "corpus")
    assert len(lines(tmp_path / "corpus" / "train.jsonl")) == 3


def test_the_command_says_what_it_wrote_and_which_category_there_is_not(coast: Category, geese: Category, tmp_path: Path) -> None:
    output = StringIO()
    call_command("export_base_corpus", "coast", "--less", "geese", "--out", tmp_path / "corpus", stdout=output)
    assert output.getvalue() == f"{tmp_path / 'corpus'}: 3 tweets, 2 left out because they are played\n"
    with pytest.raises(CommandError, match=r"^No such category: coats\.$"):
        call_command("export_base_corpus", "coats", "--out", tmp_path / "corpus")
