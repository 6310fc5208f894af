"""What sockets and pages of a class show: HTML fragments, each of which takes the place of the element with its id.

Templates, and what they are given. `stage` (selectors.Stage; `stage.state.phase` compares with "card", "reveal", …), `session` and
`truth` ("human" or "machine" on the reveal, "" before) go to the first three:

- classroom/student/stage.html: `#stage`, the same for every student. Besides: `lines` (selectors.Line, the best first; empty unless
  standings are shown now). It shows no count before the reveal: what changes with every answer would be sent to everybody each time.
- classroom/host/frame.html, classroom/presenter/frame.html: all of their fragments but `#clock`, by includes of whatever templates.
  Besides: `lines`, and `places` (selectors.Place of each student, in the order they came; read only if a template asks).
- classroom/student/mine.html: `#mine`, rendered once for all students who differ only in what is printed. To print, not to ask
  about and not to filter: the numbers `points`, `rank`, `rights`, `answered` and `earned` (points for the card on the table). To ask
  about: `verdict` ("human", "machine" or "": on the card on the table), `right` (None before the reveal, and without a verdict),
  `own` (the card is the student's own text), `written` ("", "pending", "approved" or "rejected": the student's text), `ranked`
  (standings are shown now: `points`, `rank`, `rights` and `answered` say something), `top` (1, 2 or 3; 0 for the others); and
  `stage`, `session` and `truth` as above, for what is the same for all. Name and seat code never change: they are the page's.
- classroom/parts/clock.html: `#clock`. `left` and `given` in ms (None where no time runs out), `running` (false while paused).
- classroom/parts/trouble.html: `#trouble`. `code` and `sentence`, both empty when all is well.

A page shows the same: it prints `frames.shared`, `frames.personal[token]` and `frames.fresh()`, which are safe strings.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from game.classroom import rules
from game.classroom.models import ClassSession
from game.classroom.selectors import Line, Stage, read_places, read_stage, read_standings
from game.live.topics import Frames

# Codes of what a student's frame or form may meet with, and what to do next. See docs/protocol.md.
TROUBLES = {
    "bad-frame": "That could not be read. Reload the page and answer again.",
    "too-big": "That was too long. Reload the page and answer again.",
    "too-many": "That was a lot at once. Wait a second and answer again.",
    "late": "Time was up before your answer came in. Wait for the next card.",
    "wrong-card": "That card is not on the table. Answer the one you see now.",
    "not-yours": "You wrote this one. The others answer it.",
    "try-again": "Your answer is not stored yet. Press the button again.",
}
# Who watches the rooms of host and presenter.
TEACHER = "teacher"
_PRINTED = ("points", "rank", "rights", "answered", "earned")
# Private-use characters: no template writes them, and escaping leaves them alone.
_BLANKS = {word: f"\ue000{word}\ue001" for word in _PRINTED}


def student_frames(*, session: ClassSession, tokens: Sequence[str] | None = None) -> Frames:
    """Return what the students of `session`, as find_session returns it, see; of `tokens` alone, if given."""
    stage = read_stage(session)
    lines = _lines_shown(stage)
    shared = render_to_string("classroom/student/stage.html", {**_context(stage), "lines": lines})
    if stage.state.phase == rules.Phase.CARD:
        # What was wrong with the last card's answer is over.
        shared += render_trouble("")
    return Frames(shared, _render_places(stage, lines, tokens), _clock_of(stage.state))


def own_parts(*, session: ClassSession, tokens: Sequence[str]) -> dict[str, str]:
    """Return the `personal` of student_frames alone, for a few seats."""
    stage = read_stage(session)
    return _render_places(stage, _lines_shown(stage), tokens)


def host_frames(*, session: ClassSession) -> Frames:
    """Return what the projector shows."""
    return _teacher_frames(session, "classroom/host/frame.html")


def presenter_frames(*, session: ClassSession) -> Frames:
    """Return what the teacher's phone shows."""
    return _teacher_frames(session, "classroom/presenter/frame.html")


def render_clock(state: rules.State) -> SafeString:
    """Return the time that is left now: never a time of day, which a phone has its own idea of."""
    left = rules.time_left(state, timezone.now())
    context = {
        "left": None if left is None else round(left.total_seconds() * 1000),
        "given": None if state.given is None else round(state.given.total_seconds() * 1000),
        "running": state.deadline is not None,
    }
    return render_to_string("classroom/parts/clock.html", context)


def render_trouble(code: str) -> SafeString:
    """Return what is said about a code of TROUBLES; nothing, where all is well."""
    return render_to_string("classroom/parts/trouble.html", {"code": code, "sentence": TROUBLES[code] if code else ""})


def _render_places(stage: Stage, lines: Sequence[Line], tokens: Sequence[str] | None) -> dict[str, str]:
    """Return each student's own part by token: a template's pass for each kind of part, not for each student."""
    ranked = {line.token: line for line in lines}
    shapes: dict[tuple[Any, ...], str] = {}
    parts: dict[str, str] = {}
    for place in read_places(stage.session, stage.card, tokens):
        line = ranked.get(place.token)
        shape = (place.verdict, place.right if _is_out(stage) else None, place.own, place.written, _top(line))
        if shape not in shapes:
            shapes[shape] = _render_shape(stage, bool(lines), *shape)
        printed = {
            "earned": place.earned,
            "points": line.points if line else 0,
            "rank": line.rank if line else 0,
            "rights": line.right if line else 0,
            "answered": line.answered if line else 0,
        }
        parts[place.token] = mark_safe(shapes[shape] % printed)  # noqa: S308  # a template's, with numbers in it
    return parts


def _render_shape(stage: Stage, ranked: bool, verdict: str, right: bool | None, own: bool, written: str, top: int) -> str:
    """Return a format string of `#mine`, in which what is printed is left open."""
    asked = {"verdict": verdict, "right": right, "own": own, "written": written, "ranked": ranked, "top": top}
    text = render_to_string("classroom/student/mine.html", {**_context(stage), **_BLANKS, **asked}).replace("%", "%%")
    for word, blank in _BLANKS.items():
        text = text.replace(blank, f"%({word})s")
    return text


def _top(line: Line | None) -> int:
    return line.rank if line and line.rank <= 3 else 0


def _teacher_frames(session: ClassSession, template: str) -> Frames:
    stage = read_stage(session)
    context = {**_context(stage), "lines": _lines_shown(stage), "places": lambda: list(read_places(session, stage.card))}
    return Frames(render_to_string(template, context), {TEACHER: ""}, _clock_of(stage.state))


def _context(stage: Stage) -> dict[str, Any]:
    truth = stage.card.kind if stage.card and _is_out(stage) else ""
    return {"stage": stage, "session": stage.session, "truth": truth}


def _is_out(stage: Stage) -> bool:
    return stage.state.phase == rules.Phase.REVEAL


def _lines_shown(stage: Stage) -> Sequence[Line]:
    shown = {rules.Show.EACH: (rules.Phase.STANDINGS, rules.Phase.PODIUM), rules.Show.END: (rules.Phase.PODIUM,), rules.Show.NEVER: ()}
    lines = read_standings(stage.session) if stage.state.phase in shown[rules.Show(stage.session.show)] else []
    # Nobody is the best of a class that has not begun, or in which nobody was right.
    return [] if stage.state.phase == rules.Phase.PODIUM and not any(line.points for line in lines) else lines


def _clock_of(state: rules.State) -> Callable[[], str]:
    return lambda: render_clock(state)
