"""The results page, its files and the deleting of a class: whose they are, and what stands there."""

import csv
import io
import re
from html import unescape
from typing import Any

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from game.accounts.roles import MODERATOR, PLAYER, TEACHER
from game.classroom import results_files
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import Phase
from game.pool.models import Category, Kind, Tweet
from tests.game.classroom.held import answer, deal, deal_text, make_session, seat_students
from tests.people import client_of

HUMAN, MACHINE = Kind.HUMAN, Kind.MACHINE
PAGES = ("results", "results-csv", "results-workbook", "delete")


@pytest.fixture
def teacher(db: None) -> Client:
    return client_of(TEACHER)


@pytest.fixture
def session(category: Category, teacher: Client) -> ClassSession:
    """Return a class of three students and four cards, the third of which was skipped."""
    session = make_session(User.objects.get(username=TEACHER), category, title="8b, Tuesday")
    ada, bea, cleo = seat_students(session, ["Ada", "Bea", "Cleo"])
    cards = deal(session, category, [HUMAN, MACHINE, HUMAN, MACHINE])
    answer(ada, cards, "rrrr", seconds=2)
    answer(bea, cards, "rwrw", seconds=5)
    answer(cleo, cards, "w-r-", seconds=9)
    ClassCard.objects.filter(pk=cards[2].pk).update(skipped=True)
    return session


def address(name: str, session: ClassSession) -> str:
    return reverse(f"classroom:{name}", args=[session.code])


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", PAGES)
def test_to_another_teacher_the_class_is_not_there(session: ClassSession, name: str, method: str) -> None:
    other = User.objects.create(username="another teacher")
    other.groups.add(*User.objects.get(username=TEACHER).groups.all())
    client = Client()
    client.force_login(other)
    assert getattr(client, method)(address(name, session)).status_code in ({404} if name == "delete" or method == "get" else {405})
    assert ClassSession.objects.filter(pk=session.pk).exists()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("role", "code"), [(PLAYER, 403), (MODERATOR, 403), ("anonymous", 302)])
def test_whoever_holds_no_classes_is_refused(session: ClassSession, name: str, role: str, code: int) -> None:
    assert client_of(role).get(address(name, session)).status_code == code


def test_a_challenge_that_nobody_teaches_has_no_results_page(category: Category, teacher: Client) -> None:
    challenge = ClassSession.objects.create(code="FGHJKM", mode="challenge", delete_at="2030-01-01T00:00Z")
    assert [teacher.get(address(name, challenge)).status_code for name in PAGES] == [404, 404, 404, 404]


def test_small_letters_lead_to_the_page(session: ClassSession, teacher: Client) -> None:
    response = teacher.get(f"/class/{session.code.lower()}/results/")
    assert (response.status_code, response["Location"]) == (302, f"/class/{session.code}/results/")


def words(response: Any) -> str:
    """Return what is printed on a page, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def test_the_page_tells_the_class_its_students_cards_and_writers(session: ClassSession, teacher: Client) -> None:
    page = words(teacher.get(address("results", session)))
    assert "8b, Tuesday" in page
    assert "A coin would have done about as well. 3 students, 3 cards, 7 answers. 2 of 9 were not given." in page
    assert "57% 4 of 7; range 25 to 84%" in page
    assert "Bots wrote 2 2 2 4 People wrote 1 2 2 3 All 3 4 4 7" in page
    assert "1 Ada 300 3 of 3 0" in page
    assert "3 Cleo 0 0 of 1 2" in page
    assert "All 400 4 of 7 2" in page
    assert page.index("Card 2 ") < page.index("Card 4 ") < page.index("Card 1 ")
    assert "3 Human Skipped: it counts for nobody" in page
    assert "tiny Bot 2 4 2, 50% 15\N{EN DASH}85% Ada Spade @ada Human 1 3 1, 33%" in page
    assert "All 3 7 3" in page
    assert "All of this deletes itself on 1 April, 09:30 UTC" in page
    assert "So far" not in page


def test_a_class_that_goes_on_says_so_and_keeps_the_truth_of_the_card_on_the_table(
    session: ClassSession, teacher: Client, category: Category
) -> None:
    ClassSession.objects.filter(pk=session.pk).update(phase=Phase.CARD, position=2, ended_at=None)
    Answer.objects.filter(card__position__gt=2).delete()
    response = teacher.get(address("results", session))
    page = words(response)
    assert "So far. The class is going on; 3 cards to come, with the one on the table." in page
    texts = [card.body for card in ClassCard.objects.filter(session=session)]
    assert [text in page for text in texts] == [True, False, False, False]
    assert "1 card, 3 answers." in page
    rows = read_csv(teacher, session)
    assert {row["card"] for row in rows} == {"1"}


def test_open_homework_shows_what_was_answered_so_far(session: ClassSession, teacher: Client) -> None:
    ClassSession.objects.filter(pk=session.pk).update(phase=Phase.LOBBY, mode="homework", position=0, ended_at=None)
    page = words(teacher.get(address("results", session)))
    assert "So far. It is open; who has not finished counts with what they answered." in page
    assert "2 of 9 were not given." in page


def test_students_who_were_removed_are_told_of(session: ClassSession, teacher: Client) -> None:
    Seat.objects.filter(name="Bea").update(kicked_at=session.created_at)
    page = words(teacher.get(address("results", session)))
    assert "1 student was removed, and is in no figure here." in page
    assert "Bea" not in page
    assert {row["student"] for row in read_csv(teacher, session)} == {"Ada", "Cleo"}


def test_a_class_without_answers_has_a_page_and_files(session: ClassSession, teacher: Client) -> None:
    Answer.objects.all().delete()
    page = words(teacher.get(address("results", session)))
    assert "Nobody has answered yet." in page
    assert "Nobody answered this one." in page
    assert read_csv(teacher, session) == []
    assert [len(sheet) for sheet in read_workbook(teacher, session).values()][:4] == [4, 5, 3, 1]


def test_what_students_wrote_and_are_called_is_text_on_the_page(category: Category, teacher: Client) -> None:
    session = make_session(User.objects.get(username=TEACHER), category, mode="write", position=1)
    mallory, ada = seat_students(session, ["<b>Mallory</b>", "Ada"])
    card = deal_text(session, 1, seat=mallory)
    assert card.text
    card.text.body = "<script>alert(1)</script>"
    card.text.save()
    answer(ada, [card], "w")
    html = teacher.get(address("results", session)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "<b>Mallory" not in html
    assert "&lt;b&gt;Mallory&lt;/b&gt;" in html


def read_csv(client: Client, session: ClassSession) -> list[dict[str, str]]:
    """Return the rows of the CSV, as the server streams it."""

    async def fetch() -> bytes:
        browser = AsyncClient()
        browser.cookies = client.cookies
        response: Any = await browser.get(address("results-csv", session))
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"] == f'attachment; filename="class-{session.code}.csv"'
        return b"".join([chunk async for chunk in response.streaming_content])

    sent = async_to_sync(fetch)()
    assert sent.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(sent.decode("utf-8-sig"), newline="")))


def read_workbook(client: Client, session: ClassSession) -> dict[str, list[list[Any]]]:
    """Return the rows of each sheet, the formulas in them as such."""
    response = client.get(address("results-workbook", session))
    assert response["Content-Disposition"] == f'attachment; filename="class-{session.code}.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(response.content))
    assert not [cell.coordinate for sheet in book for row in sheet for cell in row if cell.data_type == "f"]
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}


def test_the_csv_has_a_row_for_every_answer_that_counts(session: ClassSession, teacher: Client) -> None:
    cards = list(ClassCard.objects.filter(session=session))
    rows = read_csv(teacher, session)
    assert list(rows[0].values()) == ["Ada", "1", cards[0].body, "human", "Ada Spade", "human", "1", "2.0", "100"]
    assert [(row["card"], row["student"], row["truth"], row["verdict"], row["right"], row["seconds"], row["points"]) for row in rows] == [
        ("1", "Ada", "human", "human", "1", "2.0", "100"),
        ("1", "Bea", "human", "human", "1", "5.0", "100"),
        ("1", "Cleo", "human", "bot", "0", "9.0", "0"),
        ("2", "Ada", "bot", "bot", "1", "2.0", "100"),
        ("2", "Bea", "bot", "human", "0", "5.0", "0"),
        ("4", "Ada", "bot", "bot", "1", "2.0", "100"),
        ("4", "Bea", "bot", "human", "0", "5.0", "0"),
    ]


def test_the_workbook_has_a_sheet_for_each_table_and_one_that_explains_every_column(session: ClassSession, teacher: Client) -> None:
    book = read_workbook(teacher, session)
    assert list(book) == ["Students", "Cards", "Authors", "Answers", "Columns"]
    students = [dict(zip(book["Students"][0], row, strict=True)) for row in book["Students"][1:]]
    assert [(row["rank"], row["student"], row["points"], row["right"], row["answered"], row["missing"]) for row in students] == [
        (1, "Ada", 300, 3, 3, 0),
        (2, "Bea", 100, 1, 3, 0),
        (3, "Cleo", 0, 0, 1, 2),
    ]
    assert [row["median_seconds"] for row in students] == [2, 5, 9]
    assert students[2]["d_prime"] is None
    # Of two bots both hits, of one person no false alarm: z(2.5/3) - z(.5/2), as a table of the normal distribution has it.
    assert students[0]["d_prime"] == pytest.approx(0.9674 + 0.6745, abs=1e-4)
    assert [row[:1] + row[4:9] for row in book["Cards"][1:]] == [
        [1, 0, 2, 1, 0, 2],
        [2, 0, 1, 1, 1, 1],
        [3, 1, 0, 0, 0, 0],
        [4, 0, 1, 1, 1, 1],
    ]
    assert [row[:5] for row in book["Authors"][1:]] == [["tiny", "bot", 2, 4, 2], ["Ada Spade", "human", 1, 3, 1]]
    assert len(book["Answers"]) == 1 + 7
    explained = [(row[0], row[1]) for row in book["Columns"][1:]]
    assert explained == [(name, column) for name in ("Students", "Cards", "Authors", "Answers") for column in book[name][0]]
    assert all(row[2] for row in book["Columns"])


def test_the_files_say_the_same_as_the_page(session: ClassSession, teacher: Client) -> None:
    rows, book = read_csv(teacher, session), read_workbook(teacher, session)
    assert [list(row.values()) for row in rows] == [
        [str(float(cell)) if column == "seconds" else str(cell) for column, cell in zip(book["Answers"][0], row, strict=True)]
        for row in book["Answers"][1:]
    ]
    students = [dict(zip(book["Students"][0], row, strict=True)) for row in book["Students"][1:]]
    assert sum(row["answered"] for row in students) == len(rows)
    assert sum(row["points"] for row in students) == sum(int(row["points"]) for row in rows)


EVIL = ["=1+1", "+49 30 1234", "-1", "@SUM(A1)", "\tTab", '=HYPERLINK("http://example.org")', "http://example.org", "{=1+1}"]


def test_a_student_named_like_a_formula_is_text_in_every_file(category: Category, teacher: Client) -> None:
    session = make_session(User.objects.get(username=TEACHER), category)
    seats = seat_students(session, [name[:24] for name in EVIL])
    (card,) = deal(session, category, [HUMAN])
    assert card.tweet
    Tweet.objects.filter(pk=card.tweet.pk).update(text="=cmd|' /C calc'!A0")
    for seat in seats:
        answer(seat, [card], "r")
    rows = read_csv(teacher, session)
    assert [row["student"] for row in rows] == [f"'{name[:24]}" for name in EVIL[:6]] + EVIL[6:]
    assert {row["text"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    book = read_workbook(teacher, session)
    assert [row[0] for row in book["Answers"][1:]] == [name[:24] for name in EVIL]
    assert {row[1] for row in book["Students"][1:]} == {name[:24] for name in EVIL}
    assert book["Cards"][1][1] == "=cmd|' /C calc'!A0"


def test_more_answers_than_a_piece_are_all_in_the_files(session: ClassSession, teacher: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_csv(teacher, session)
    monkeypatch.setattr(results_files, "CHUNK", 1)
    assert read_csv(teacher, session) == whole
    assert len(read_workbook(teacher, session)["Answers"]) == 1 + len(whole)


def test_a_sheet_that_is_full_says_where_the_rest_is(session: ClassSession, teacher: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_files, "MOST_ROWS", 6)
    answers = read_workbook(teacher, session)["Answers"]
    assert len(answers) == 6
    assert answers[4][:2] == ["Ada", 2]
    assert answers[5][0] == "No more rows fit into a sheet: the CSV has them all."


def test_the_answers_fit_a_full_sheet_to_the_row(session: ClassSession, teacher: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_files, "MOST_ROWS", 9)
    assert [row[0] for row in read_workbook(teacher, session)["Answers"]][-2:] == ["Ada", "Bea"]


def test_deleting_asks_and_names_what_goes(session: ClassSession, teacher: Client) -> None:
    page = words(teacher.get(address("delete", session)))
    assert "Delete 8b, Tuesday , for good?" in page
    assert "Students, with nicknames 3 Answers 10 Cards 4 Tweets that were on them stay in the game." in page
    assert ClassSession.objects.filter(pk=session.pk).exists()


def test_a_class_is_deleted_by_its_teacher_and_the_list_says_so(session: ClassSession, teacher: Client) -> None:
    response = teacher.post(address("delete", session), follow=True)
    assert response.redirect_chain == [(reverse("classroom:index"), 302)]
    assert f"{session.code} is deleted, with all that its students did." in words(response)
    assert not ClassSession.objects.exists()
    assert teacher.post(address("delete", session)).status_code == 404


def test_a_class_that_is_going_on_is_ended_before_it_is_deleted(session: ClassSession, teacher: Client) -> None:
    ClassSession.objects.filter(pk=session.pk).update(phase=Phase.REVEAL, ended_at=None)
    assert "This class is going on" in words(teacher.get(address("delete", session)))
    assert teacher.post(address("delete", session)).status_code == 409
    assert ClassSession.objects.filter(pk=session.pk).exists()


def test_deleting_needs_the_token_of_the_page(session: ClassSession) -> None:
    client = client_of(TEACHER, enforce_csrf_checks=True)
    assert client.post(address("delete", session)).status_code == 403
    assert ClassSession.objects.filter(pk=session.pk).exists()


def test_deleting_is_limited(session: ClassSession, teacher: Client, settings: Any) -> None:
    settings.RATE_CLASS = "1/m"
    missing = address("delete", session).replace(session.code, "ZZZZZZ")
    assert [teacher.post(missing).status_code, teacher.post(missing).status_code] == [404, 429]


def test_the_page_asks_as_often_for_a_big_class(category: Category, teacher: Client) -> None:
    asked = []
    for code, students, count in (("BCDFGH", 1, 1), ("CDFGHJ", 20, 12)):
        session = make_session(User.objects.get(username=TEACHER), category, code=code)
        seats = seat_students(session, [f"Student {number}" for number in range(students)])
        cards = deal(session, category, [HUMAN, *[MACHINE] * (count - 1)])
        for seat in seats:
            answer(seat, cards, "r" * count)
        teacher.get(address("results", session))
        with CaptureQueriesContext(connection) as queries:
            teacher.get(address("results", session))
        asked.append(len(queries))
    assert asked[0] == asked[1]
