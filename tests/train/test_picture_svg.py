"""Laws of SVG inspection: self-contained drawings pass, what reaches out or multiplies is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.errors import PictureError
from sealsmith.train.picture_svg import check_svg

RECT = '<rect width="10" height="20"/>'


def svg(body: str = RECT, attributes: str = 'viewBox="0 0 100 80"', before: str = "") -> bytes:
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {head} {attributes}>{body}</svg>".encode()


def uses(levels: int, fan: int) -> str:
    groups = [f'<g id="g{i}">' + f'<use xlink:href="#g{i - 1}"/>' * fan + "</g>" for i in range(1, levels)]
    return f'<g id="g0">{RECT}</g>' + "".join(groups)


def text_or_refusal(data: bytes) -> str | PictureError:
    try:
        return check_svg(data, "logo.svg")[0]
    except PictureError as error:
        return error


HARMLESS = {
    "plain": svg(),
    "doctype": svg(
        before='<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.org/x.dtd">'
    ),
    "bom": b"\xef\xbb\xbf" + svg(),
    "utf-16": svg().decode().encode("utf-16"),
    "own gradient": svg(
        '<linearGradient id="a"/><path fill="url(#a)" d="M0 0h9v9z"/><path style="fill:url( \'#a\')"/>'
    ),
    "use": svg(uses(4, 3)),
    "link around": svg(f'<a href="https://example.org">{RECT}</a>'),
    "units": svg(attributes='width="21.0000000000001mm" height="2e1mm"'),
    "percent": svg(attributes='width="100%" height="100%" viewBox="-5 -5 10 10"'),
}

CHAIN_FROM_ITS_END = "".join(f'<g id="g{i}"><use href="#g{i + 1}"/></g>' for i in range(400))

REFUSED = {
    "entity": (svg(before='<!DOCTYPE svg [<!ENTITY a "x">]>'), "declares an entity"),
    "external entity": (
        svg("&a;", before='<!DOCTYPE svg [<!ENTITY a SYSTEM "/etc/passwd">]>'),
        "declares an entity",
    ),
    "parameter entity": (
        svg(before='<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://e/x"> %a;]>'),
        "declares an entity",
    ),
    "style sheet": (svg(before='<?xml-stylesheet href="http://e/x.css"?>'), "processing instruction"),
    "script": (svg("<script>1</script>"), "holds a script"),
    "prefixed script": (svg('<s:SCRIPT xmlns:s="http://www.w3.org/2000/svg"/>'), "holds a script"),
    "handler": (svg('<rect onclick="f()"/>'), "script in onclick"),
    "foreign": (svg("<foreignObject/>"), "foreign content"),
    "image": (svg('<image href="data:image/png;base64,AAAA"/>'), "embedded or linked picture"),
    "remote use": (svg('<use href="http://e/x.svg#a"/>'), "refers to something outside itself"),
    "file use": (svg('<use xlink:href="file:///etc/passwd"/>'), "refers to something outside itself"),
    "remote fill": (svg('<rect fill="url(http://e/x)"/>'), "refers to something outside itself"),
    "style attribute": (svg("<rect style=\"fill:url( '//e/x')\"/>"), "refers to something outside itself"),
    "import": (svg("<style>@import 'http://e/x.css';</style>"), "refers to something outside itself"),
    "style element": (svg("<style><![CDATA[a{fill:ur]]><![CDATA[l(http://e)}]]></style>"), "outside itself"),
    "self": (svg('<g id="a"><use href="#a"/></g>'), "without end"),
    "circle": (svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'), "without end"),
    "laughs": (svg(uses(12, 10)), "draws more than 50000 elements"),
    "deep": (svg("<g>" * 500 + "</g>" * 500), "inside each other"),
    "chain": (svg(uses(500, 1)), "draws more than 50000 elements"),
    "chain from its end": (svg(CHAIN_FROM_ITS_END), "without end"),
    "thread": (svg(attributes='viewBox="0 0 1 100000"'), "has a size of 1.0 x 100000.0"),
    "huge": (
        svg(attributes='width="1e30" height="1e30" viewBox="0 0 1e30 1e30"'),
        "has a size of None x None",
    ),
    "no size": (svg(attributes=""), "states no size"),
    "zero": (svg(attributes='viewBox="0 0 0 0"'), "has a size of None"),
    "not svg": (b"<html><svg/></html>", "begins with <html>"),
    "broken": (b"<svg", "not a well-formed SVG"),
    "latin-1": (b"<svg><!-- \xe9 --></svg>", "not UTF-8"),
    "too long": (svg(" " * (5 << 20)), "bytes; an SVG may have"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_self_contained_drawings_pass(name: str) -> None:
    text, remarks = check_svg(HARMLESS[name], "logo.svg")
    assert "<svg" in text
    assert remarks == ()


@pytest.mark.parametrize("name", REFUSED)
def test_what_reaches_out_or_grows_is_refused(name: str) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises(PictureError, match=rf"logo\.svg .*{sentence}") as caught:
        check_svg(data, "logo.svg")
    assert caught.value.remedy


def test_text_is_remarked() -> None:
    _, remarks = check_svg(svg("<text>Ab</text>"), "logo.svg")
    assert "has text in it" in remarks[0]


@given(damage=st.binary(max_size=12), where=st.integers(0, 200))
@settings(deadline=None, max_examples=80)
def test_damaged_documents_pass_or_are_refused_clearly(damage: bytes, where: int) -> None:
    data = HARMLESS["own gradient"]
    outcome = text_or_refusal(data[:where] + damage + data[where + len(damage) :])
    assert "svg" in outcome if isinstance(outcome, str) else str(outcome).startswith("logo.svg ")
