"""The route by which players report a tweet."""

from django.urls import re_path

from game.moderation import report_views
from game.play.rules import TOKEN_PATTERN

app_name = "report"
urlpatterns = [re_path(rf"^(?P<token>{TOKEN_PATTERN})/$", report_views.report, name="card")]
