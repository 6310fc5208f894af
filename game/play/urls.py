"""Routes of the game."""

from django.urls import path

from game.play import views

app_name = "play"
urlpatterns = [
    path("play/<slug:slug>/", views.play_round, name="round"),
    path("guess/<str:token>/", views.guess, name="guess"),
    path("round/<str:token>/", views.result, name="result"),
    path("leaderboard/", views.leaderboard, name="leaderboard"),
    path("leaderboard/<slug:slug>/", views.leaderboard, name="leaderboard-category"),
]
