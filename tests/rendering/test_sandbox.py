"""No template escapes, runs for ever or grows without bound; errors say where, and no data."""

import re

import pytest

from rendering.bounds import MAX_OUTPUT
from rendering.errors import TemplateError, TemplateTooLarge, TemplateTooSlow
from rendering.messages import render_email
from rendering.plain import MAX_DEPTH, plain
from rendering.sources import MessageSource
from tests.rendering.building import context, html, message, words

CUSTOMER = {
    "first_name": "Ann",
    "long": "a" * 30_000,
    "tags": ["a", "b"],
    "items": [{"name": "desk"}],
    "company": {"plan": "pro"},
}

ESCAPES = {
    "attribute": "{{ customer.__class__ }}",
    "subscript": "{{ customer['__class__'] }}",
    "computed subscript": "{{ customer['__cla' ~ 'ss__'] }}",
    "of a text": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "of a number": "{{ (1).real }}",
    "attr filter": "{{ customer | attr('__class__') }}",
    "map filter": "{{ [customer] | map(attribute='__class__') | list }}",
    "format method": "{{ '{0.__class__}'.format(customer) }}",
    "stored format method": "{% set f = '{0.__class__}'.format %}{{ f(customer) }}",
    "format filter": "{{ '%s' | format(customer) }}",
    "percent": "{{ '%999999999d' % 1 }}",
    "a method of data": "{{ customer.update({'a': 1}) }}",
    "Jinja2's globals": "{{ cycler.__init__.__globals__ }}",
    "lipsum": "{{ lipsum.__globals__.os }}",
    "the template": "{{ self._TemplateReference__context }}",
    "super": "{{ super.__globals__ }}",
    "range": "{{ range.__self__ }}",
    "the loop": "{% for a in customer.tags %}{{ loop._iterable }}{% endfor %}",
    "the loop called": "{% for a in customer.tags %}{{ loop(a) }}{% endfor %}",
    "the run": "{{ _run }}",
    "setting the run": "{% set _run = 1 %}",
    "shadowing a function": "{% set range = customer.tags %}{{ range(3) }}",
    "safe": "{{ customer.first_name | safe }}",
    "autoescape off": "{% autoescape false %}{{ customer.first_name }}{% endautoescape %}",
    "import": "{% import 'os' as os %}",
    "include": "{% include '../../etc/passwd' %}",
    "a computed layout": "{% extends customer.first_name %}",
    "namespace": "{% set ns = namespace(a=1) %}",
}


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
def test_a_template_reaches_nothing_but_plain_data(text: str) -> None:
    with pytest.raises(TemplateError):
        html(text, CUSTOMER)


TOO_MUCH = {
    "multiplied text, folded at compile time": "{{ 'x' * 1000000000 }}",
    "multiplied list": "{{ ([customer] * 100000000) | length }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "growing number": "{% set a = 999999999 %}" + "{% set a = a * a %}" * 30 + "{{ a }}",
    "doubling by ~": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40,
    "doubling by +": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 40,
    "nested lists": "{% set a = [1] %}{% set b = [1] %}"
    + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40
    + "{{ 1 if a == b }}",
    "center": "{{ 'x' | center(1000000000) }}",
    "replace": "{{ customer.long | replace('a', customer.long) }}",
    "join": "{{ range(1000) | join(customer.long) }}",
    "range": "{{ range(1000000000) | length }}",
    "range of ranges": "{% for a in range(9999) %}{% endfor %}",
    "macro calling itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for a in customer.tags recursive %}{{ loop(customer.tags) }}{% endfor %}",
    "deep brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "deep lists": "{{ " + "[" * 150 + "1" + "]" * 150 + " }}",
    "deep filters": "{{ 'a'" + "|trim" * 5_000 + " }}",
    "deep negation": "{{ " + "not " * 5_000 + "1 }}",
    "long sum": "{{ 1" + "+1" * 20_000 + " }}",
    "deep blocks": "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "loops in loops in loops": "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
    "a number of 5,000 digits": "{{ " + "9" * 5_000 + " }}",
    "infinity": "{{ 1e999 }}",
    "a source too long": "x" * 300_000,
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_template_can_t_compute_without_bound(text: str) -> None:
    with pytest.raises(TemplateError):
        html(text, CUSTOMER)


@pytest.mark.parametrize("name", ["replace", "join"])
def test_a_text_is_measured_before_it_is_made(name: str) -> None:
    with pytest.raises(TemplateError, match=f"`{name}` would make a text that is too long"):
        html(TOO_MUCH[name], CUSTOMER)


SLOW = {
    "nested loops": "{% for a in range(1000) %}" * 4 + "{% endfor %}" * 4,
    "a heavy loop": "{% for a in range(1000) %}"
    + "{% if a == 1 %}{% endif %}" * 500
    + "{% endfor %}",
    "a heavy filter": "{% for a in range(999) %}{{ '' if customer.long|upper }}{% endfor %}",
    "a loop's test": "{% for a in range(999) %}{% for b in range(999) if 0 %}{% endfor %}"
    "{% endfor %}",
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW.keys())
def test_work_is_counted_and_the_count_ends(text: str) -> None:
    with pytest.raises(TemplateTooSlow, match="too much work"):
        words(text, CUSTOMER)


def test_the_output_is_bounded() -> None:
    line = "x" * 999
    fits = "{% for a in range(200) %}" + line + "{% endfor %}"
    assert len(words(fits)) == 200 * 999 <= MAX_OUTPUT
    with pytest.raises(TemplateTooLarge, match="200,000 characters"):
        words(fits.replace("200", "201"))


def test_a_layout_that_extends_itself_is_an_error() -> None:
    source = message({"layout.html": '{% extends "layout.html" %}'}, subject_txt="Hello")
    source = MessageSource(
        source.name, {**source.files, "email.html": '{% extends "layout.html" %}'}, source.layouts
    )
    with pytest.raises(TemplateError, match=r"`layout\.html` is not there"):
        render_email(source, context())


def included(text: str, **pages: str) -> str:
    layouts = {f"{name}.html": page for name, page in pages.items()}
    source = message(layouts, subject_txt="Hello", email_html=text)
    return render_email(source, context(CUSTOMER)).html


def test_an_included_page_sees_what_its_includer_does_and_is_escaped() -> None:
    text = "{% set a = '<b>' %}{% include 'a.html' %}"
    assert "Ann &lt;b&gt;" in included(text, a="{{ customer.first_name }} {{ '<b>' }}")


def test_an_included_page_pays_each_time() -> None:
    loop = "{% for a in range(999) %}{% include 'a.html' %}{% endfor %}"
    included(loop, a="{% if 1 %}{% endif %}")
    with pytest.raises(TemplateTooSlow, match=r"a\.html, line 1: .*too much work"):
        included(loop, a="{% if 1 %}{% endif %}" * 500)
    pages = {name: f"{{% include '{below}.html' %}}" * 30 for name, below in ("ab", "bc", "cd")}
    with pytest.raises(TemplateTooSlow):
        included("{% include 'a.html' %}" * 30, **pages, d="")


def test_pages_that_include_each_other_are_an_error() -> None:
    with pytest.raises(TemplateError, match="nested too deeply"):
        included("{% include 'a.html' %}", a="{% include 'b.html' %}", b="{% include 'a.html' %}")


def test_an_error_in_an_included_page_names_that_page_and_its_line() -> None:
    with pytest.raises(TemplateError, match=r"^a\.html, line 2: `customer\.no` has no value"):
        included("{% include 'a.html' %}", a="\n{{ customer.no }}")


def test_a_product_list_is_far_from_the_bounds() -> None:
    customer = {"items": [{"name": f"Desk {i}", "price": 12.5, "n": i} for i in range(200)]}
    text = (
        "{% for i in customer.items %}{{ i.name|upper }} {{ i.price * i.n|round(2) }}\n{% endfor %}"
    )
    assert words(text, customer).splitlines()[199].startswith("DESK 199 ")


# -- plain data ---------------------------------------------------------------------------


def test_a_field_may_have_the_name_of_a_method() -> None:
    assert words("{{ customer.items[0].name }}", CUSTOMER) == "desk"


def test_templates_are_given_a_copy() -> None:
    given = {"tags": ["a"]}
    assert plain(given)["tags"] is not given["tags"]


def test_what_lies_too_deep_is_missing_and_harms_nothing_else() -> None:
    deep: dict[str, object] = {}
    inner = deep
    for _ in range(MAX_DEPTH * 50):
        inner["next"] = inner = {}
    assert words("{{ customer.name }}", {"deep": deep, "name": "Ann"}) == "Ann"


def test_objects_are_refused() -> None:
    with pytest.raises(TypeError, match=r"`customer\.file`: a template can't be given a object"):
        html("x", {"file": object()})


# -- missing fields -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ customer.no | default('there') }}", "there"),
        ("{{ customer.null | default('there') }}", "there"),
        ("{{ customer.empty | default('there') }}", "there"),
        ("{{ customer.zero | default('there') }}", "0"),
        ("{{ customer.no or 'there' }}", "there"),
        ("{% if customer.no %}yes{% else %}no{% endif %}", "no"),
        ("{% if customer.no.deeper.still %}yes{% else %}no{% endif %}", "no"),
        ("{% if customer.no is defined %}yes{% else %}no{% endif %}", "no"),
        ("{% if customer.null is none %}yes{% endif %}", "yes"),
        ("{% if customer.null == none %}yes{% endif %}", "yes"),
        ("{% if customer.no > 5 or customer.no <= 5 %}yes{% else %}no{% endif %}", "no"),
        ("{{ customer.no if customer.no else 'there' }}", "there"),
        ("Hi{{ ' ' ~ customer.no if customer.no }}!", "Hi!"),
        ("{% for a in customer.no | default([]) %}{% else %}none{% endfor %}", "none"),
    ],
)
def test_a_missing_field_can_be_asked_about(text: str, says: str) -> None:
    assert words(text, {"null": None, "empty": "", "zero": 0}) == says


@pytest.mark.parametrize(
    "text",
    [
        "{{ customer.no }}",
        "{{ customer.null }}",
        "{{ none }}",
        "{{ customer.no | upper }}",
        "{{ 'a' ~ customer.no }}",
        "{{ customer.no + 1 }}",
        "{{ 1 + customer.no }}",
        "{% for a in customer.no %}{% endfor %}",
        "{{ customer.list | join }}",
        "{{ customer.no | length }}",
        "{{ 'abc' | replace('a', customer.no) }}",
    ],
)
def test_a_missing_field_is_never_printed_or_computed_with(text: str) -> None:
    with pytest.raises(TemplateError, match="has no value"):
        words(text, {"null": None, "list": ["a", None]})


# -- errors -------------------------------------------------------------------------------


def test_an_error_names_file_line_and_field() -> None:
    with pytest.raises(TemplateError) as caught:
        html("<p>\n\n{{ customer.first_nam }}</p>", CUSTOMER)
    assert str(caught.value) == (
        "thanks/email.html, line 3: `customer.first_nam` has no value, "
        "did you mean `customer.first_name`?"
    )
    assert (caught.value.file, caught.value.line) == ("thanks/email.html", 3)


def test_an_error_inside_a_loop_names_the_item() -> None:
    with pytest.raises(TemplateError, match=re.escape("`customer.items[0].nme` has no value")):
        words("{% for item in customer.items %}{{ item.nme }}{% endfor %}", CUSTOMER)


def test_an_error_in_the_layout_names_the_layout() -> None:
    source = message(
        {"layout.html": "\n{{ customer.logo }}{% block content %}{% endblock %}"},
        subject_txt="Hello",
        email_html='{% extends "layout.html" %}',
    )
    with pytest.raises(TemplateError, match=r"^layout\.html, line 2: `customer\.logo` has no"):
        render_email(source, context())


@pytest.mark.parametrize(
    "text",
    [
        "{{ customer.secret > 5 }}",
        "{{ customer.secret + 5 }}",
        "{{ customer.secret | int }}",
        "{{ customer.secret | float }}",
        "{{ customer.secret | date }}",
        "{{ 5 | money(customer.secret) }}",
        "{{ 'x' | date(customer.secret) }}",
        "{{ [1][customer.secret] }}",
        "{{ {}[customer.secret] }}",
        "{{ customer[customer.secret].x }}",
        "{{ range(customer.secret) }}",
        "{{ customer.by[customer.secret].x.y }}",
        "{% for k, v in customer.by | items %}{{ v.no }}{% endfor %}",
        "{{ customer.by.s3cre }}",
        "{{ 5 in customer.secret ~ 5 > 5 }}",
        "{% for a in customer.secret %}{% endfor %}",
    ],
)
def test_no_error_quotes_a_customer_s_data(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        words(text, {"secret": "s3cret", "by": {"s3cret@acme.example": {"x": 1}}})
    assert "s3cret" not in str(caught.value)
