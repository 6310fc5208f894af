"""What a teacher takes home from a class, and deleting it. Of each session its own teacher may, and nobody else."""

import tempfile

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from game.classroom.access import for_teachers, own_session
from game.classroom.deletion import count_contents, delete_session, is_going_on
from game.classroom.models import ClassSession
from game.classroom.results import read_results
from game.classroom.results_files import write_csv, write_workbook
from game.classroom.services import move_on_if_due
from game.downloads import stream_csv
from game.limits import limited

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@for_teachers
@require_safe
def results(request: HttpRequest, code: str) -> HttpResponse:
    """Show what became of a class, so far or in the end: its teacher may."""
    session = _find(request, code)
    if code != session.code:
        return redirect("classroom:results", session.code)
    return render(request, "classroom/results/page.html", {"session": session, "results": read_results(session)})


@for_teachers  # type: ignore[arg-type]  # what it guards may stream
@require_safe
def results_csv(request: HttpRequest, code: str) -> StreamingHttpResponse:
    """Send every answer that counts as CSV: its teacher may."""
    session = _find(request, code)
    return stream_csv(write_csv(session, read_results(session)), name=f"class-{session.code}.csv")


@for_teachers
@require_safe
def results_workbook(request: HttpRequest, code: str) -> HttpResponse:
    """Send the results as an Excel workbook: its teacher may."""
    session = _find(request, code)
    with tempfile.TemporaryFile() as file:
        write_workbook(session, read_results(session), file)
        file.seek(0)
        response = HttpResponse(file.read(), content_type=WORKBOOK)
    response.headers["Content-Disposition"] = f'attachment; filename="class-{session.code}.xlsx"'
    return response


@for_teachers
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_CLASS")
def delete(request: HttpRequest, code: str) -> HttpResponse:
    """Ask once, naming what goes, and delete a class that is not going on: its teacher may."""
    session = _find(request, code)
    going_on = is_going_on(session)
    if request.method == "POST" and not going_on:
        delete_session(session=session)
        messages.success(request, f"{session.code} is deleted, with all that its students did.")
        return redirect("classroom:index")
    context = {"session": session, "contents": count_contents(session), "is_going_on": going_on}
    return render(request, "classroom/results/delete.html", context, status=409 if request.method == "POST" else 200)


def _find(request: HttpRequest, code: str) -> ClassSession:
    return move_on_if_due(session=own_session(request, code), now=timezone.now())
