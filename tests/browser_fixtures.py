"""A real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.chromium import FLAGS, find_chromium

# As long as anything else that a page is asked to do: on a busy machine five seconds are nothing.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium for the tests of a module.

    Not for the session: Playwright leaves its event loop running in this thread, where no
    async test could start one. Django's guard against that loop is off for the same tests.
    """
    path = find_chromium()
    if path is None:
        pytest.fail("No Chromium: run `make test`, or `python -m tests.chromium`.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page of a person whom the game has never seen."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
