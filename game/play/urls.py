"""Routes of the game."""

from django.urls import path, re_path

from game.play import views
from game.play.rules import TOKEN_PATTERN

app_name = "play"
urlpatterns = [
    path("play/<slug:slug>/", views.play_round, name="round"),
    re_path(rf"^guess/(?P<token>{TOKEN_PATTERN})/$", views.guess, name="guess"),
    re_path(rf"^round/(?P<token>{TOKEN_PATTERN})/$", views.result, name="result"),
    path("leaderboard/", views.leaderboard, name="leaderboard"),
    path("leaderboard/<slug:slug>/", views.leaderboard, name="leaderboard-category"),
]
