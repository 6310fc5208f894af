"""Routes of scraping."""

from django.urls import path

from scraping import views

app_name = "scraping"
urlpatterns = [
    path("", views.index, name="index"),
    path("run/<int:run_id>/", views.run, name="run"),
    path("run/<int:run_id>/cancel/", views.cancel, name="cancel"),
    path("source/<slug:name>/ask-again/", views.ask_again, name="ask-again"),
    path("category/<slug:slug>/", views.category, name="category"),
    path("category/<slug:slug>/schedule/", views.schedule, name="schedule"),
    path("account/<int:feed_id>/list/", views.put_on_list, name="list"),
    path("account/<int:feed_id>/opt-out/", views.take_out, name="opt-out"),
]
