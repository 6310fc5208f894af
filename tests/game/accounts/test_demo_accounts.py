"""The accounts of a fresh installation."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def printed() -> list[str]:
    output = StringIO()
    call_command("create_demo_accounts", stdout=output)
    return output.getvalue().splitlines()


def test_passwords_are_printed_once_and_work(monkeypatch):
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)
    first, second = printed(), printed()

    words = [line.split() for line in first]
    assert [line[:-1] for line in words] == [["Account", "teacher,", "password"], ["Account", "moderator,", "password"]]
    passwords = [line[-1] for line in words]
    assert [
        User.objects.get(username=name).check_password(word) for name, word in zip(["teacher", "moderator"], passwords, strict=True)
    ] == [
        True,
        True,
    ]
    assert len(set(passwords)) == 2
    assert second == []


def test_demo_password_sets_both(monkeypatch):
    monkeypatch.setenv("DEMO_PASSWORD", "chosen by the host")
    assert printed() == ["Account teacher, password chosen by the host", "Account moderator, password chosen by the host"]
    assert all(user.check_password("chosen by the host") for user in User.objects.all())


def test_an_account_that_exists_keeps_its_password(monkeypatch):
    monkeypatch.setenv("DEMO_PASSWORD", "first")
    printed()
    monkeypatch.setenv("DEMO_PASSWORD", "second")
    assert printed() == []
    assert User.objects.get(username="teacher").check_password("first")


def test_each_account_has_its_role_and_only_the_moderator_may_enter_the_admin():
    printed()
    roles = {user.username: (list(user.groups.values_list("name", flat=True)), user.is_staff) for user in User.objects.all()}
    assert roles == {"teacher": (["teacher"], False), "moderator": (["moderator"], True)}
