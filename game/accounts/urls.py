"""Routes of accounts."""

from django.urls import path

from game.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.account, name="account"),
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("sign-up/", views.sign_up, name="sign-up"),
    path("password/", views.PasswordView.as_view(), name="password"),
    path("sign-out/", views.SignOutView.as_view(), name="sign-out"),
]
