"""Routes of moderation. Those of a category come last: what stands before them, no category can be called."""

from django.urls import path

from game.moderation import category_views, history_views, search_views, takedown_views, views

app_name = "moderation"
urlpatterns = [
    path("", views.index, name="index"),
    path("search/", search_views.find, name="search"),
    path("bulk/", search_views.change_all, name="bulk"),
    path("bulk/<int:action_id>/undo/", search_views.undo_all, name="undo-bulk"),
    path("disagreements/", search_views.disputes, name="disagreements"),
    path("takedown/", takedown_views.ask, name="takedown"),
    path("takedown/<slug:number>/", takedown_views.receipt, name="receipt"),
    path("log/", history_views.show_log, name="log"),
    path("log.csv", history_views.export_log, name="log-csv"),
    path("tweet/<slug:tweet>/", history_views.show_tweet, name="tweet"),
    path("tweet/<slug:tweet>/change/", history_views.change, name="change-tweet"),
    path("tweet/<slug:tweet>/undo/", history_views.undo_step, name="undo-step"),
    path("categories/", category_views.index, name="categories"),
    path("categories/new/", category_views.create, name="new-category"),
    path("categories/<slug:slug>/", category_views.change, name="category"),
    path("<slug:slug>/", views.show_queue, name="queue"),
    path("<slug:slug>/next/", views.next_ones, name="next"),
    path("<slug:slug>/decide/", views.decide, name="decide"),
    path("<slug:slug>/undo/", views.undo, name="undo"),
    path("<slug:slug>/keep/", views.keep, name="keep"),
    path("<slug:slug>/release/", views.release, name="release"),
    path("<slug:slug>/origin/", views.origin, name="origin"),
]
