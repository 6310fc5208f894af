import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from game.moderation.rules import REASONS, Kappa, Ruling, cohen_kappa, goes_to_two, is_too_easy, rule
from game.pool.rules import fingerprint

MARKS = [fingerprint(f"owl number {number}") for number in range(2_000)]


def test_the_share_that_goes_to_two_is_drawn_by_hash() -> None:
    assert not any(goes_to_two(mark, 0.0) for mark in MARKS)
    assert all(goes_to_two(mark, 1.0) for mark in MARKS)
    tenth, third = ({mark for mark in MARKS if goes_to_two(mark, share)} for share in (0.1, 0.3))
    assert (len(tenth), len(third)) == (199, 598)
    # Who raises the share lets go of none.
    assert tenth < third


@pytest.mark.parametrize(
    ("right", "guesses", "easy"), [(30, 30, True), (29, 29, False), (28, 30, False), (29, 30, True), (950, 1000, True), (949, 1000, False)]
)
def test_too_easy_is_what_nearly_all_of_thirty_see_through(right: int, guesses: int, easy: bool) -> None:
    assert is_too_easy(right=right, guesses=guesses) is easy


def test_each_digit_is_a_reason() -> None:
    assert list(REASONS) == list("123456789")


@pytest.mark.parametrize(
    ("facts", "ruling"),
    [
        ({"status": "pending", "flags": ["near"]}, Ruling("rejected", "flag: near")),
        ({"status": "approved", "flags": ["near"]}, Ruling("rejected", "flag: near")),
        ({"status": "rejected", "flags": ["near"]}, None),
        ({"status": "withdrawn", "flags": ["near"]}, None),
        ({"status": "pending", "flags": ["personal"]}, None),
        ({"status": "pending", "flags": []}, None),
        ({"status": "pending", "flags": [], "approves": True}, Ruling("approved", "no flag")),
        ({"status": "pending", "flags": ["personal"], "approves": True}, None),
        ({"status": "approved", "flags": ["personal"], "approves": True}, Ruling("pending", "flag: personal")),
        ({"status": "approved", "flags": [], "approves": True}, None),
        ({"status": "approved", "flags": ["personal"]}, None),
        # Somebody has had to do with it: what they have seen is not among the flags.
        ({"status": "pending", "flags": [], "approves": True, "decided": True}, None),
        ({"status": "approved", "flags": ["easy"], "approves": True, "decided": True}, None),
        ({"status": "approved", "flags": ["near"], "approves": True, "decided": True}, Ruling("rejected", "flag: near")),
    ],
)
def test_what_a_category_does_by_itself(facts: dict, ruling: Ruling | None) -> None:
    assert rule(**{"rejects": ["unsafe", "near"], "approves": False, "decided": False} | facts) == ruling


def table_of(*rows: tuple[int, ...]) -> dict[tuple[str, str], int]:
    return {(str(one), str(other)): count for one, row in enumerate(rows) for other, count in enumerate(row)}


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Cohen (1960), table 1: two diagnosticians, three diagnoses.
        (table_of((88, 14, 18), (10, 40, 10), (2, 6, 12)), 0.4915),
        # Fleiss, Levin, Paik (2003), table 18.1: the same of a hundred.
        (table_of((75, 1, 4), (5, 4, 1), (0, 0, 10)), 0.6765),
        # By hand: (35/50 - (25/50 * 30/50 + 25/50 * 20/50)) / (1 - 1/2).
        (table_of((20, 5), (10, 15)), 0.4),
        (table_of((0, 10), (10, 0)), -1.0),
        (table_of((25, 25), (25, 25)), 0.0),
    ],
)
def test_kappa_of_worked_examples(table: dict, kappa: float) -> None:
    assert cohen_kappa(table).value == pytest.approx(kappa, abs=5e-5)


def test_the_interval_of_kappa_is_that_of_the_agreement_beyond_chance() -> None:
    # Wilson's interval of 35 of 50 is 0.5625 to 0.8090, and chance makes them agree half the time.
    kappa = cohen_kappa(table_of((20, 5), (10, 15)))
    assert (kappa.value, kappa.n, kappa.low, kappa.high) == pytest.approx((0.4, 50, 0.1250, 0.6180), abs=1e-4)


def test_five_that_agree_prove_little() -> None:
    kappa = cohen_kappa(table_of((3, 0), (0, 2)))
    assert (kappa.value, kappa.high) == (1.0, 1.0)
    assert kappa.low == pytest.approx(0.0948, abs=1e-4)


@pytest.mark.parametrize(("table", "n"), [({}, 0), (table_of((0, 0), (0, 0)), 0), (table_of((7, 0), (0, 0)), 7)])
def test_kappa_is_undefined_where_chance_explains_everything(table: dict, n: int) -> None:
    assert cohen_kappa(table) == Kappa(None, n, None, None)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=60))
def test_kappa_is_what_scikit_learn_says(pairs: list[tuple[str, str]]) -> None:
    table = {pair: pairs.count(pair) for pair in pairs}
    kappa = cohen_kappa(table)
    one, other = zip(*pairs, strict=True)
    assume(len({*one, *other}) > 1)
    assert kappa.value is not None
    assert kappa.low is not None
    assert kappa.high is not None
    assert kappa.value == pytest.approx(cohen_kappa_score(one, other))
    assert -1 <= kappa.low <= kappa.value + 1e-12
    assert kappa.value - 1e-12 <= kappa.high <= 1
    assert cohen_kappa({(other, one): count for (one, other), count in table.items()}).value == pytest.approx(kappa.value)
