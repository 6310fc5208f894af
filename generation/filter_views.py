"""The page on which moderators see what the filters drop. Nobody else may."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from game.guards import only_with
from game.pool.models import Category
from generation.filter_selectors import PERIODS, read_filters
from generation.topics import PERMISSION

for_watchers = only_with(PERMISSION, home="generation:index")


@for_watchers
@require_safe
def filters(request: HttpRequest) -> HttpResponse:
    """Show how many samples fell to which filter, and some of them. `?category=SLUG` and `?period=day|week|all` choose which."""
    slug = request.GET.get("category", "")
    category = get_object_or_404(Category, slug=slug) if slug else None
    period = request.GET.get("period", "")
    period = period if period in PERIODS else "week"
    length = PERIODS[period][1]
    context = {
        **read_filters(category=category, since=timezone.now() - length if length else None),
        "category": category,
        "categories": Category.objects.filter(model_versions__isnull=False).distinct(),
        "period": period,
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
    }
    return render(request, "generation/filters.html", context)
