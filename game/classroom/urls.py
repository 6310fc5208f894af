"""Routes of classes: sessions, seats, results."""

from django.urls import URLPattern, URLResolver, path, re_path

from game.classroom import host_views, pace_views, results_views, views, writing_views
from game.classroom.rules import ALPHABET, CODE_LENGTH
from game.play.rules import TOKEN_PATTERN

# As people type it: views find the session by its capitals.
CODE = rf"(?P<code>[{ALPHABET}{ALPHABET.lower()}]{{{CODE_LENGTH}}})"

app_name = "classroom"
urlpatterns: list[URLPattern | URLResolver] = [
    path("challenge/new/", pace_views.new_challenge, name="new-challenge"),
    path("class/", host_views.index, name="index"),
    re_path(rf"^class/{CODE}/$", views.student, name="student"),
    re_path(rf"^class/{CODE}/act/$", host_views.act, name="act"),
    re_path(rf"^class/{CODE}/answer/$", views.answer, name="answer"),
    re_path(rf"^class/{CODE}/delete/$", results_views.delete, name="delete"),
    re_path(rf"^class/{CODE}/host/$", host_views.host, name="host"),
    re_path(rf"^class/{CODE}/kick/$", host_views.kick, name="kick"),
    re_path(rf"^class/{CODE}/pace/begin/$", pace_views.begin, name="pace-begin"),
    re_path(rf"^class/{CODE}/pace/extend/$", pace_views.extend, name="pace-extend"),
    re_path(rf"^class/{CODE}/pace/(?P<token>{TOKEN_PATTERN})/$", pace_views.answer, name="pace-answer"),
    re_path(rf"^class/{CODE}/presenter/$", host_views.presenter, name="presenter"),
    re_path(rf"^class/{CODE}/qr\.svg$", host_views.qr, name="qr"),
    re_path(rf"^class/{CODE}/results/$", results_views.results, name="results"),
    re_path(rf"^class/{CODE}/results\.csv$", results_views.results_csv, name="results-csv"),
    re_path(rf"^class/{CODE}/results\.xlsx$", results_views.results_workbook, name="results-workbook"),
    re_path(rf"^class/{CODE}/state/$", views.state, name="state"),
    re_path(rf"^class/{CODE}/texts/$", writing_views.texts, name="texts"),
    re_path(rf"^class/{CODE}/write/$", writing_views.write, name="write"),
    path("class/new/", host_views.new, name="new"),
    path("join/", views.enter_code, name="join"),
    path("join/<str:code>/", views.join, name="join"),
]
