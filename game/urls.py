"""Every route."""

urlpatterns: list = []
