"""Routes of training."""

from django.urls import path

from training import views

app_name = "training"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:run_id>/", views.run, name="run"),
    path("<int:run_id>/cancel/", views.cancel, name="cancel"),
    path("models/<int:model_id>/promote/", views.promote, name="promote"),
    path("models/<int:model_id>/retire/", views.retire, name="retire"),
    path("<slug:slug>/roll-back/", views.go_back, name="roll-back"),
]
