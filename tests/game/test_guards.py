import pytest
from django.test import Client

SITE = "http://testserver"


@pytest.mark.parametrize(
    ("path", "came_from", "back_to"),
    [
        ("/scraping/account/1/list/", f"{SITE}/scraping/category/birds/?page=2", "/scraping/category/birds/%3Fpage%3D2"),
        ("/scraping/account/1/opt-out/", f"{SITE}/scraping/account/1/opt-out/", "/scraping/account/1/opt-out/"),
        ("/training/models/1/promote/", f"{SITE}/training/7/", "/training/7/"),
        # A page that stands where nothing can be looked at: a form was sent there, and came back.
        ("/scraping/account/1/list/", f"{SITE}/scraping/category/birds/schedule/", "/scraping/"),
        ("/training/7/cancel/", f"{SITE}/training/7/cancel/", "/training/"),
        ("/scraping/run/1/cancel/", "", "/scraping/"),
        ("/scraping/run/1/cancel/", "https://elsewhere.example/scraping/run/1/", "/scraping/"),
        ("/training/7/cancel/", "https://testserver/training/7/", "/training/"),
        ("/training/7/cancel/", f"{SITE}//elsewhere.example/", "/training/"),
    ],
)
def test_who_presses_a_button_after_their_session_signs_in_and_is_back_on_the_page(
    path: str, came_from: str, back_to: str, db: None
) -> None:
    response = Client().post(path, headers={"referer": came_from} if came_from else {})
    assert (response.status_code, response["Location"]) == (302, f"/account/sign-in/?next={back_to}")
