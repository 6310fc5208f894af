"""Every route."""

from django.contrib import admin
from django.urls import include, path

from game import errors, operations
from game.accounts.views import admin_sign_in
from game.play.views import home

admin.site.site_title = admin.site.site_header = "Bird or Bot"
admin.site.index_title = "The pool"

urlpatterns = [
    path("", home, name="home"),
    path("", include("game.play.urls")),
    path("", include("game.classroom.urls")),
    path("report/", include("game.moderation.report_urls")),
    path("account/", include("game.accounts.urls")),
    path("training/", include("training.urls")),
    path("moderate/", include("game.moderation.urls")),
    path("scraping/", include("scraping.urls")),
    path("duel/", include("generation.duel.urls")),
    path("generation/", include("generation.urls")),
    path("favicon.ico", operations.favicon),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
]

handler400, handler403, handler404 = errors.bad_request, errors.permission_denied, errors.page_not_found
