"""Routes of moderation. Those of a category come last: what stands before them, no category can be called."""

from django.urls import path

from game.moderation import search_views, views

app_name = "moderation"
urlpatterns = [
    path("", views.index, name="index"),
    path("search/", search_views.find, name="search"),
    path("bulk/", search_views.change_all, name="bulk"),
    path("bulk/<int:action_id>/undo/", search_views.undo_all, name="undo-bulk"),
    path("disagreements/", search_views.disputes, name="disagreements"),
    path("<slug:slug>/", views.show_queue, name="queue"),
    path("<slug:slug>/next/", views.next_ones, name="next"),
    path("<slug:slug>/decide/", views.decide, name="decide"),
    path("<slug:slug>/undo/", views.undo, name="undo"),
    path("<slug:slug>/keep/", views.keep, name="keep"),
    path("<slug:slug>/release/", views.release, name="release"),
    path("<slug:slug>/origin/", views.origin, name="origin"),
]
