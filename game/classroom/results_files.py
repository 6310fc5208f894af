"""The results of a class as files: every answer as CSV, and a workbook of sheets, one of which says what each column means."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, Generic, TypeVar

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from game.classroom.measures import Share
from game.classroom.models import Answer, ClassSession
from game.classroom.results import CardRow, Results, StudentRow, WriterRow
from game.downloads import csv_lines
from game.pool.models import Kind

CHUNK = 2_000
# Excel takes no more, the heading among them.
MOST_ROWS = 1_048_576
# Excel reads a file that does not begin with it in its country's old character set.
BYTE_ORDER_MARK = "\ufeff"
_SAID = {Kind.HUMAN.value: "human", Kind.MACHINE.value: "bot"}

Cell = str | int | float | None
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer."""

    student: str
    card: CardRow
    verdict: str
    right: bool
    elapsed: timedelta | None
    points: int


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """What a column is called, what it means, and what stands in it."""

    name: str
    meaning: str
    read: Callable[[Row], Cell]


def _rate(name: str, meaning: str, read: Callable[[Row], Share | None]) -> list[Column[Row]]:
    """Return three columns: a share, and the ends of its interval."""

    def part(field: str) -> Callable[[Row], Cell]:
        return lambda row: getattr(read(row), field, None)

    return [
        Column(name, meaning, part("rate")),
        Column(f"{name}_low", "The low end of its 95 % interval (Wilson 1927).", part("low")),
        Column(f"{name}_high", "The high end.", part("high")),
    ]


def _measure(name: str, meaning: str, field: str) -> Column[StudentRow]:
    return Column(name, meaning, lambda row: getattr(row.detection, field, None))


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds(), 3)


ANSWERS: list[Column[AnswerRow]] = [
    Column("student", "The nickname.", lambda row: row.student),
    Column("card", "The number of the card, in the order they were dealt.", lambda row: row.card.position),
    Column("text", "What is on it; nothing where its tweet has left the game since.", lambda row: row.card.text),
    Column("truth", "Who wrote it: human or bot.", lambda row: _SAID[row.card.kind]),
    Column("writer", "Who that is.", lambda row: row.card.writer.name),
    Column("verdict", "What the student said: human or bot.", lambda row: _SAID[row.verdict]),
    Column("right", "1 if that is the truth, else 0.", lambda row: int(row.right)),
    Column(
        "seconds",
        "From the showing to the answer's arrival, pauses apart; empty where that was not measured.",
        lambda row: _seconds(row.elapsed),
    ),
    Column("points", "What the answer was worth.", lambda row: row.points),
]
STUDENTS: list[Column[StudentRow]] = [
    Column("rank", "By points; equals share one.", lambda row: row.rank),
    Column("student", "The nickname.", lambda row: row.name),
    Column("points", "Of the answers, and of classmates who took the student's own text for a bot's.", lambda row: row.points),
    Column("right", "Right answers.", lambda row: row.counts.right),
    Column("answered", "Answers given.", lambda row: row.counts.answered),
    Column("missing", "Answers not given; nobody is asked about their own text.", lambda row: row.missing),
    *_rate("accuracy", "right / answered", lambda row: row.right),
    _measure("d_prime", "How well bots and people are told apart, whatever is said more readily (Hautus 1995); 0 is a coin.", "d_prime"),
    _measure("d_prime_low", "The low end of its 95 % interval (Gourevitch & Galanter 1967).", "low"),
    _measure("d_prime_high", "The high end.", "high"),
    _measure("criterion", "Above 0 human is said more readily, below 0 bot.", "criterion"),
    Column("bot_as_bot", "Bots taken for bots: hits.", lambda row: row.counts.machine_as_machine),
    Column("bot_as_human", "Bots taken for people: misses.", lambda row: row.counts.machine_as_human),
    Column("human_as_bot", "People taken for bots: false alarms.", lambda row: row.counts.human_as_machine),
    Column("human_as_human", "People taken for people: correct rejections.", lambda row: row.counts.human_as_human),
    Column("median_seconds", "The median of the times of the answers.", lambda row: _seconds(row.median)),
    Column("taken_for_bot", "How many classmates took the student's own text for a bot's.", lambda row: row.fooled),
]
CARDS: list[Column[CardRow]] = [
    Column("card", "The number of the card, in the order they were dealt.", lambda row: row.position),
    Column("text", "What is on it; nothing where its tweet has left the game since.", lambda row: row.text),
    Column("truth", "Who wrote it: human or bot.", lambda row: _SAID[row.kind]),
    Column("writer", "Who that is.", lambda row: row.writer.name),
    Column("left_out", "1 if it counts for nobody: skipped, or its tweet left the game unanswered. Else 0.", lambda row: int(row.left_out)),
    Column("said_human", "Students who said human.", lambda row: row.counts.said_human),
    Column("said_bot", "Students who said bot.", lambda row: row.counts.said_machine),
    Column("missing", "Answers not given; nobody is asked about their own text.", lambda row: row.missing),
    Column("right", "Right answers.", lambda row: row.counts.right),
    *_rate("accuracy", "right / (said_human + said_bot)", lambda row: row.right),
]
AUTHORS: list[Column[WriterRow]] = [
    Column("writer", "A person, a student of the class, or a model.", lambda row: row.writer.name),
    Column("truth", "What they are: human or bot.", lambda row: _SAID[row.writer.kind]),
    Column("cards", "Cards of theirs that count.", lambda row: row.cards),
    Column("answered", "Answers to these.", lambda row: row.counts.answered),
    Column(
        "taken_for_other",
        "Answers that took a person for a bot, or a bot for a person.",
        lambda row: row.counts.wrong,
    ),
    *_rate("share", "taken_for_other / answered", lambda row: row.taken_for_other),
]
SHEETS: dict[str, list[Column[Any]]] = {"Students": STUDENTS, "Cards": CARDS, "Authors": AUTHORS, "Answers": ANSWERS}
EXPLAINED: list[Column[tuple[str, Column[Any]]]] = [
    Column("sheet", "", lambda row: row[0]),
    Column("column", "", lambda row: row[1].name),
    Column("meaning", "", lambda row: row[1].meaning),
]


def write_csv(session: ClassSession, results: Results) -> Iterator[str]:
    """Yield every answer that counts as CSV, some lines at a time: by card, and then in the order in which students came."""
    yield BYTE_ORDER_MARK + csv_lines([[column.name for column in ANSWERS]])
    for answers in _read_answers(session, results):
        yield csv_lines([column.read(row) for column in ANSWERS] for row in answers)


def write_workbook(session: ClassSession, results: Results, file: IO[bytes]) -> None:
    """Write the results into `file` as an Excel workbook."""
    answers = (row for rows in _read_answers(session, results) for row in rows)
    rows: dict[str, Iterable[Any]] = {
        "Students": results.students,
        "Cards": results.cards_in_order,
        "Authors": results.writers,
        "Answers": answers,
        "Columns": [(name, column) for name, columns in SHEETS.items() for column in columns],
    }
    # Rows go to disk as they come: a thousand students need no more memory than ten.
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as workbook:
        bold = workbook.add_format({"bold": True})
        for name, columns in (SHEETS | {"Columns": EXPLAINED}).items():
            _fill(workbook.add_worksheet(name), columns, rows[name], bold)


def _fill(sheet: Worksheet, columns: Sequence[Column[Any]], rows: Iterable[Any], bold: Any) -> None:
    """Write a sheet, row by row; where not all fit, the last one says so."""
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, 60 if column.name in ("text", "meaning") else max(12, len(column.name) + 2))
        sheet.write_string(0, place, column.name, bold)
    for number, row in enumerate(rows, 1):
        if number == MOST_ROWS - 1:
            sheet.write_string(number, 0, "No more rows fit into a sheet: the CSV has them all.")
            return
        for place, column in enumerate(columns):
            cell = column.read(row)
            # By its type, never by its looks: a nickname that begins with "=" is a nickname.
            if isinstance(cell, str):
                sheet.write_string(number, place, cell)
            elif cell is not None:
                sheet.write_number(number, place, cell)


def _read_answers(session: ClassSession, results: Results) -> Iterator[list[AnswerRow]]:
    """Yield the answers that count, some at a time."""
    names = dict(session.seats.values_list("pk", "name"))
    for card in results.cards_in_order:
        answers = Answer.objects.filter(card=card.pk, seat__kicked_at=None).order_by("seat_id")
        fields = answers.values_list("seat_id", "verdict", "right", "elapsed", "points")
        last = 0
        while not card.left_out and (rows := list(fields.filter(seat_id__gt=last)[:CHUNK])):
            yield [AnswerRow(names[seat], card, verdict, right, elapsed, points) for seat, verdict, right, elapsed, points in rows]
            last = rows[-1][0]
