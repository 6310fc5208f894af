"""The teacher's buttons, held against the state machine."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string

from game.classroom import rules
from game.classroom.models import ClassSession
from game.classroom.rules import Action, Phase, State

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = NOW + MINUTE
# A phase with its time, none of it or some left; only these two run out.
TIMES = [(None, None, None), (MINUTE, LATER, None), (MINUTE, None, MINUTE)]
TIMED = {Phase.CARD: TIMES, Phase.WRITING: TIMES[1:]}
BEFORE = {Phase.LOBBY, Phase.WRITING, Phase.CHOOSING}
STATES = [
    State(phase, position, 2, 7, *time, locked)
    for phase in Phase
    for position in ([0] if phase in BEFORE else [1, 2])
    for time in TIMED.get(phase, TIMES[:1])
    for locked in (False, True)
]


@pytest.mark.parametrize("state", STATES)
def test_the_buttons_are_those_of_what_is_legal(state: State) -> None:
    session = ClassSession(code="BCDFGH", show="each")
    html = render_to_string("classroom/host/controls.html", {"stage": SimpleNamespace(state=state), "session": session})
    offered = set(re.findall(r'name="action" value="(\w+)"', html)) | ({"end"} if 'popovertarget="ending"' in html else set())
    legal = {action.value for action in Action if rules.apply(state, action, session.chosen, NOW)}
    # From texts to cards the way leads over the desk on which they are approved.
    assert offered == legal - ({"next"} if state.phase == Phase.CHOOSING else set())
    assert 'name="version" value="7"' in html
