"""Routes of the duel."""

from django.urls import path, re_path

from generation.duel import views
from generation.duel.moderation import moderate

TOKEN = r"(?P<token>[\w-]{22})"

app_name = "duel"
urlpatterns = [
    path("", views.front, name="front"),
    path("suggest/", views.suggest, name="suggest"),
    path("moderate/", moderate, name="moderate"),
    re_path(rf"^completion/{TOKEN}/$", views.completion, name="completion"),
    re_path(rf"^completion/{TOKEN}/report/$", views.report, name="report"),
    re_path(rf"^completion/{TOKEN}/send/$", views.send, name="send"),
    re_path(rf"^{TOKEN}/$", views.show, name="prompt"),
]
