import pytest

from training import runs, words


def test_every_stage_of_the_pipeline_has_its_place_among_those_that_people_see() -> None:
    known = frozenset().union(*(parts for _, _, parts in words.STAGES))
    assert {stage.name for stage in runs.STAGES} | {"register", ""} <= known
    numbers = [words.stage_number(stage.name) for stage in runs.STAGES]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "under a minute"), (44, "under a minute"), (60, "1 min"), (149, "2 min"), (3599, "1 h"), (5400, "1 h 30 min"), (7200, "2 h")],
)
def test_a_duration_is_as_coarse_as_a_person_would_say_it(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_the_time_left_follows_the_pace_so_far() -> None:
    assert words.seconds_left(step=50, steps=200, seconds=10.0) == 30.0
    assert words.seconds_left(step=210, steps=200, seconds=10.0) == 0.0
    assert words.seconds_left(step=0, steps=200, seconds=0.0) is None


def test_of_many_authors_the_first_are_named() -> None:
    assert words.named(["ada"]) == "@ada"
    assert words.named(["ada", "ben"]) == "@ada and @ben"
    assert words.named(["ada", "ben", "cleo", "dan", "eve"]) == "@ada, @ben, @cleo and 2 more"
