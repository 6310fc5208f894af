"""The pool in Django's admin: moderators look things up and change statuses; every change leaves an event."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from game.pool.models import Author, Category, ModerationEvent, Status, Tweet
from game.pool.services import moderate_tweets


class ReasonForm(ActionForm):
    """The choice of an action, and why."""

    reason = forms.CharField(required=False, max_length=200)


class ReadOnly(admin.ModelAdmin):
    """Nothing is added, changed or deleted here by form."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Category)
class CategoryAdmin(ReadOnly):
    """Categories are changed at /moderate/categories/, which writes it down."""

    list_display = ("name", "slug", "language", "active")


@admin.register(Author)
class AuthorAdmin(ReadOnly):
    list_display = ("handle", "name", "platform", "kind")
    list_filter = ("kind", "platform")
    search_fields = ("handle", "name")


@admin.register(Tweet)
class TweetAdmin(ReadOnly):
    list_display = ("status", "text", "category", "author", "split")
    list_display_links = ("text",)
    action_form = ReasonForm
    list_filter = ("status", "category", "kind", "split")
    search_fields = ("text",)
    list_select_related = ("category", "author")
    show_full_result_count = False
    actions = ("approve", "reject", "withdraw")

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Let those moderate who hold pool.moderate_tweet: the group `moderator`."""
        return request.user.has_perm("pool.moderate_tweet")

    def _moderate(self, request: HttpRequest, tweets: QuerySet[Tweet], after: Status) -> None:
        assert isinstance(request.user, User)
        reason = request.POST.get("reason", "")[:200]
        changed = moderate_tweets(tweets=Q(pk__in=tweets.values("pk")), by=request.user, after=after, reason=reason)
        self.message_user(request, f"{changed} of {tweets.count()} tweets are now {after}.", messages.SUCCESS)

    @admin.action(permissions=["moderate"])
    def approve(self, request: HttpRequest, tweets: QuerySet[Tweet]) -> None:
        """Let the tweets be played."""
        self._moderate(request, tweets, Status.APPROVED)

    @admin.action(permissions=["moderate"])
    def reject(self, request: HttpRequest, tweets: QuerySet[Tweet]) -> None:
        """Keep the tweets out of the game."""
        self._moderate(request, tweets, Status.REJECTED)

    @admin.action(permissions=["moderate"])
    def withdraw(self, request: HttpRequest, tweets: QuerySet[Tweet]) -> None:
        """Take the tweets out of the game and out of later corpora."""
        self._moderate(request, tweets, Status.WITHDRAWN)


@admin.register(ModerationEvent)
class ModerationEventAdmin(ReadOnly):
    """What was decided; not what one of two people said of a tweet that is still to be decided."""

    list_display = ("at", "by", "tweet", "before", "after", "reason")
    list_filter = ("after", "by")
    list_select_related = ("by", "tweet")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModerationEvent]:
        pending = Status.PENDING
        return super().get_queryset(request).exclude(before=pending, after=pending, tweet__status=pending)
