"""Signing up, in and out; the account page."""

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from game.accounts.forms import NameForm, PasswordForm, SignUpForm
from game.accounts.identity import COOKIE, player_id_of, remember_player
from game.accounts.services import attach_player, rename_player
from game.limits import limited


@method_decorator(limited("RATE_SIGN_IN"), name="dispatch")  # type: ignore[arg-type]  # LoginView answers with nothing but HttpResponse
class SignInView(LoginView):
    """Sign in: anybody may."""

    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form) -> HttpResponse:  # type: ignore[no-untyped-def]
        response = super().form_valid(form)
        player = attach_player(user=form.get_user(), guest_id=player_id_of(self.request))
        remember_player(response, player.pk)
        return response


class SignOutView(LogoutView):
    """Sign out, and leave no player behind for whoever uses the browser next."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        response.delete_cookie(COOKIE, samesite="Lax")
        return response


@never_cache
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send whoever wants into the admin to the one page where one signs in; refuse those signed in who may not."""
    if request.user.is_authenticated:
        raise PermissionDenied
    query = urlencode({"next": request.GET.get("next", reverse("admin:index"))})
    return redirect(f"{reverse('accounts:sign-in')}?{query}")


@method_decorator(limited("RATE_SIGN_IN"), name="dispatch")  # type: ignore[arg-type]  # as above
class PasswordView(PasswordChangeView):
    """Change one's own password: whoever is signed in may. Other sessions of the account end."""

    form_class = PasswordForm
    template_name = "accounts/password.html"
    success_url = reverse_lazy("accounts:account")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("RATE_SIGN_UP")
def sign_up(request: HttpRequest) -> HttpResponse:
    """Create an account: anybody may. What the guest did so far comes along."""
    if request.user.is_authenticated:
        return redirect("accounts:account")
    form = SignUpForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/sign_up.html", {"form": form})
    user: User = form.save()
    player = attach_player(user=user, guest_id=player_id_of(request))
    login(request, user)
    response = redirect("accounts:account")
    remember_player(response, player.pk)
    return response


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show and rename one's own player: whoever is signed in may."""
    assert isinstance(request.user, User)
    player = attach_player(user=request.user, guest_id=None)
    form = NameForm(request.POST or None, instance=player)
    if request.method == "POST" and form.is_valid():
        rename_player(player=player, name=form.cleaned_data["name"])
        return redirect("accounts:account")
    player.refresh_from_db()
    context = {
        "player": player,
        "form": form,
        "roles": request.user.groups.values_list("name", flat=True),
        "standings": player.standings.exclude(category=None).select_related("category").order_by("-strength"),
    }
    response = render(request, "accounts/account.html", context)
    remember_player(response, player.pk)
    return response
