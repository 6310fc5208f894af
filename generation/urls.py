"""Routes of generation."""

from django.urls import path

from generation import filter_views, views

app_name = "generation"
urlpatterns = [
    path("", views.index, name="index"),
    path("filters/", filter_views.filters, name="filters"),
    path("batch/<int:batch_id>/try-again/", views.try_again, name="try-again"),
    path("batch/<int:batch_id>/clear/", views.clear, name="clear"),
]
