from training.rules import length_profile


def test_a_length_profile_counts_by_bins_of_twenty_characters() -> None:
    assert length_profile([0, 19, 20, 39, 40, 99, 99, 99]) == {"bin": 20, "probabilities": [0.25, 0.25, 0.125, 0.0, 0.375]}
