"""From the HTML of a post to its words."""

import pytest

from game.pool.rules import has_link
from scraping.sources.plain import plain

LINK = (
    '<a href="https://example.org/a/long/way" rel="nofollow noopener" translate="no"><span class="invisible">https://</span>'
    '<span class="ellipsis">example.org/a/lo</span><span class="invisible">ng/way</span></a>'
)
MENTION = '<span class="h-card" translate="no"><a href="https://birds.example/@ada" class="u-url mention">@<span>ada</span></a></span>'
HASHTAG = '<a href="https://birds.example/tags/owls" class="mention hashtag" rel="tag">#<span>owls</span></a>'


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One line.</p>", "One line."),
        ("<p>One<br>two<br />three</p>", "One\ntwo\nthree"),
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("<p>Three &lt; four &amp; five &gt; four, &quot;so&quot; it&#39;s</p>", 'Three < four & five > four, "so" it\'s'),
        ("<p>&amp;amp; is written &amp;amp;amp;</p>", "&amp; is written &amp;amp;"),
        ("<p>A\nline of the\n  source</p>", "A line of the source"),
        (f"<p>See {LINK}, do</p>", "See https://example.org/a/long/way, do"),
        (f"<p>{MENTION} look</p>", "@ada look"),
        (f"<p>Night {HASHTAG}</p>", "Night #owls"),
        ('<p>Night <a href="https://birds.example/t/owls" rel="tag">#owls</a></p>', "Night #owls"),
        ('<p><a href="https://birds.example/u/1">@ada@birds.example</a> look</p>', "@ada@birds.example look"),
        ('<p>Look <a href="https://example.org/">here</a> now</p>', "Look here https://example.org/ now"),
        ('<p><a href="https://www.example.org/">example.org</a></p>', "https://www.example.org/"),
        ("<ul><li>owl</li><li>wren</li></ul>", "owl\n\nwren"),
        ("<blockquote><p>Said.</p></blockquote><p>Meant.</p>", "Said.\n\nMeant."),
        ("No tags at all", "No tags at all"),
        ("<p>Never closed <em>at <a href='https://example.org/'>all", "Never closed at all https://example.org/"),
        ("", ""),
    ],
)
def test_html_becomes_the_words_that_were_meant(html, text) -> None:
    assert plain(html) == text


@pytest.mark.parametrize(
    "html", [f"<p>See {LINK}</p>", '<p>Look <a href="https://example.org/">here</a></p>', '<a href="http://a.example">b']
)
def test_no_link_hides_from_the_cleaning(html) -> None:
    assert has_link(plain(html))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Good :owl: night :owl_night:</p>", "Good night"),
        ("<p>:owl:</p>", ""),
        ("<p>At 12:30:45 :wren: it rang</p>", "At 12:30:45 :wren: it rang"),
        ("<p>a:owl:b</p>", "a:owl:b"),
    ],
)
def test_pictures_that_stand_as_words_go_and_nothing_else(html, text) -> None:
    assert plain(html, ["owl", "owl_night", "30"]) == text
