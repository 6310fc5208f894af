"""Tables that are downloaded."""

import csv
import io

from game.downloads import csv_lines, quote


def test_no_cell_is_a_formula() -> None:
    cells = ("=1+1", "+1", "-1", "@a", "\tx", "\rx", "\nx", "  =1+1", "a=b", " a", "")
    quoted = ["'=1+1", "'+1", "'-1", "'@a", "'\tx", "'\rx", "'\nx", "'  =1+1", "a=b", " a", ""]
    assert [quote(cell) for cell in cells] == quoted
    assert next(csv.reader(io.StringIO(csv_lines([cells]), newline=""))) == quoted


def test_numbers_stay_numbers_and_what_is_not_there_is_empty() -> None:
    assert csv_lines([["-1", -1, -0.5, None, ""], ["a, b", 'c "d"']]) == '\'-1,-1,-0.5,,\r\n"a, b","c ""d"""\r\n'
