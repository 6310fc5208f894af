"""What every page is told."""

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest


def origin(request: HttpRequest) -> dict[str, str]:
    """Name the scheme and host that the page was asked for by, as links for elsewhere need them.

    Empty for a host that is not ours: the page that says so is rendered, too.
    """
    try:
        return {"origin": f"{request.scheme}://{request.get_host()}"}
    except DisallowedHost:
        return {"origin": ""}
