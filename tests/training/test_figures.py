from training.figures import Figure, is_served, read_figures

MEASURED = {
    "ngram_auc": 0.664,
    "likelihood_auc": 0.39,
    "made_up": 0.061,
    "copied": 0.001,
    "features": {"length": 0.51, "exclamation_marks": 0.59, "emoji": 0.5},
}
SCORES = {"bits_per_byte": 1.6123, "raw": MEASURED | {"ngram_auc": 0.9}, "served": MEASURED, "human": {"made_up": 0.05}}


def test_each_figure_says_what_would_be_good_and_whether_it_is() -> None:
    assert read_figures(SCORES) == [
        Figure("Word detector", "0.66", "≤ 0.70", True),
        Figure("Likelihood detector", "0.39", "0.40 to 0.65", False),
        Figure("Made-up words", "6.1%", "≤ 7.0%", True),
        Figure("Copied", "0.1%", "0", False),
        Figure("Surface: exclamation marks", "0.59", "≤ 0.58", False),
        Figure("Bits per byte", "1.612", "lower is better", None),
    ]


def test_before_a_measurement_of_what_is_served_the_raw_samples_count() -> None:
    raw = {key: value for key, value in SCORES.items() if key != "served"}
    assert read_figures(raw)[0] == Figure("Word detector", "0.90", "≤ 0.70", False)
    assert (is_served(SCORES), is_served(raw)) == (True, False)


def test_scores_of_the_first_cards_are_read_too() -> None:
    first = {"bits_per_byte": 1.4, "ngram_auc": 0.81, "made_up": 0.13, "made_up_human": 0.11, "copied": 0.0}
    assert [(figure.value, figure.good) for figure in read_figures(first)] == [
        ("0.81", False),
        ("", None),
        ("13.0%", True),
        ("0.0%", True),
        ("", None),
        ("1.400", None),
    ]


def test_a_model_without_scores_has_the_same_figures_without_values() -> None:
    assert [figure.value for figure in read_figures({})] == [""] * 6
    assert {figure.good for figure in read_figures({})} == {None}
