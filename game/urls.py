"""Every route."""

from django.contrib import admin
from django.urls import include, path

from game import operations
from game.play.views import home

urlpatterns = [
    path("", home, name="home"),
    path("", include("game.play.urls")),
    path("account/", include("game.accounts.urls")),
    path("admin/", admin.site.urls),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
]
