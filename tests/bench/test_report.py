import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as bench
from bench.report import Row, build_table, write_json
from bench.timing import interleave

MET = Row("draw.growth", 1.3, 1.3, "ratio", "on the line")
MISSED = Row("play.again", 12.1, 12, "s")


def run(monkeypatch: pytest.MonkeyPatch, var: Path, *rows: Row) -> int:
    monkeypatch.setenv("VAR", str(var))
    monkeypatch.setattr("sys.argv", ["bench", "play"])
    monkeypatch.setattr(bench, "ALONE", {"play": lambda: list(rows)})
    return bench.main()


def test_the_file_holds_value_goal_and_unit_of_each_row(tmp_path: Path) -> None:
    write_json(tmp_path / "var" / "bench.json", [MET, MISSED], keep=False)
    assert json.loads((tmp_path / "var" / "bench.json").read_text()) == {
        "draw.growth": {"value": 1.3, "goal": 1.3, "unit": "ratio"},
        "play.again": {"value": 12.1, "goal": 12, "unit": "s"},
    }


@pytest.mark.parametrize(("keep", "names"), [(True, {"draw.growth", "play.again"}), (False, {"play.again"})])
def test_a_run_of_some_groups_keeps_the_other_rows_and_a_full_run_does_not(tmp_path: Path, keep: bool, names: set[str]) -> None:
    path = tmp_path / "bench.json"
    write_json(path, [MET], keep=False)
    write_json(path, [MISSED], keep=keep)
    assert set(json.loads(path.read_text())) == names


def test_the_table_says_which_goals_were_missed() -> None:
    console = Console(width=120)
    with console.capture() as printed:
        console.print(build_table([MET, MISSED]))
    words = [line.replace("│", " ").split() for line in printed.get().splitlines() if "│" in line]
    assert words == [
        ["draw.growth", "1.3", "≤", "1.3", "ratio", "met", "on", "the", "line"],
        ["play.again", "12.1", "≤", "12", "s", "missed"],
    ]


def test_a_missed_goal_is_an_exit_code_of_1_and_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, tmp_path, MET, MISSED) == 1
    assert json.loads((tmp_path / "bench.json").read_text())["play.again"]["value"] == 12.1


def test_goals_all_met_are_an_exit_code_of_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, tmp_path, MET) == 0


def test_sides_are_measured_in_turns_there_and_back_and_warming_up_does_not_count() -> None:
    order: list[str] = []
    values = {"a": iter([900.0, 1.0, 5.0, 2.0]), "b": iter([900.0, 30.0, 10.0, 20.0])}

    def side(name: str) -> float:
        order.append(name)
        return next(values[name])

    medians = interleave({"a": lambda: side("a"), "b": lambda: side("b")}, turns=3, warm_up=1)
    assert medians == {"a": 2.0, "b": 20.0}
    assert "".join(order) == "abbaabba"
