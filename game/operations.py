"""What those who run the game ask it, and what browsers ask unbidden. Everybody may ask; the answers hold no secret."""

from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from game.play.selectors import playable_categories
from game.pool.models import Category


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether a round can be played, and in which categories; 503 where in none."""
    playing: dict[str, bool] = {}
    state = {"database": True, "redis": True, "categories": playing}
    try:
        categories = list(Category.objects.filter(active=True))
        playable = playable_categories(categories)
        playing.update({category.slug: category.pk in playable for category in categories})
    except DatabaseError:
        state["database"] = False
    try:
        cache.set("readyz", 1, 10)
    except (RedisError, OSError):
        state["redis"] = False
    # With Redis away boards stand still, but rounds are dealt and guesses stored: no reason to take the site down.
    return JsonResponse(state, status=200 if any(playing.values()) else 503)


@cache_control(public=True, max_age=86_400)
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead those to the icon who look where it used to be; the name of its file changes with what is in it."""
    return redirect(static("img/favicon.svg"))
