"""The game's routes, and what its guess is compared with."""

import sys

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from bench.classroom.floor import announce
from game.urls import urlpatterns as game_urlpatterns


@require_POST
def floor(request: HttpRequest) -> HttpResponse:
    """Do as little as a view can that reads a row and stores one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM pool_tweet WHERE id = %s", [request.POST["tweet"]])
        row = cursor.fetchone()
        cursor.execute("INSERT INTO bench_floor (tweet_id, verdict) VALUES (%s, %s)", [request.POST["tweet"], request.POST["verdict"]])
    return HttpResponse(row[0])


@require_POST
def prompt(request: HttpRequest) -> HttpResponse:
    """Do as little as a view can that reads a prompt."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM duel_prompt WHERE token = %s", [request.POST["token"]])
        row = cursor.fetchone()
    return HttpResponse(row[0])


def modules(request: HttpRequest) -> JsonResponse:
    """List what this process has imported."""
    return JsonResponse({"modules": sorted(sys.modules)})


urlpatterns = [
    *game_urlpatterns,
    path("bench/floor/", floor),
    path("bench/prompt/", prompt),
    path("bench/announce/<code>/", announce),
    path("bench/modules/", modules),
]
