import pytest

from loaders.dialects.calico.expressions import Comparison, Every, ExpressionError, Not, holds, parse


def complaint(text):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value.position, str(caught.value)


def test_and_binds_closer_than_or():
    expression = parse("a == 'x' || b == 'y' && c == 'z'")
    assert str(expression) == '(a == "x" || (b == "y" && c == "z"))'
    assert holds(expression, {"a": "x"})
    assert not holds(expression, {"b": "y"})


def test_a_negation_is_of_the_next_term_only():
    assert parse("!a == 'x' && has(b)") == Every((Not(Comparison("a", "==", ("x",))), Comparison("b", "has")))
    assert str(parse("!!! (has(a))")) == "!has(a)"
    assert str(parse("!!has(a)")) == "has(a)"


@pytest.mark.parametrize("text", ["a notin {'x'}", "a not  in{'x',}", "a not\tin { 'x' }"])
def test_blanks_within_operators_do_not_matter(text):
    assert str(parse(text)) == 'a not in {"x"}'


@pytest.mark.parametrize("word", ["in", "not", "contains", "all", "has", "global", "starts"])
def test_a_word_of_the_language_may_be_a_label(word):
    assert holds(parse(f"{word} in {{'x'}}"), {word: "x"})


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("app == web", 7, "expected text in quotes, found 'web'"),
        ("app = 'web'", 4, "expected an operator after the label 'app', found '='. Operators are ==, !=, in"),
        ("not app == 'web'", 4, "Negate with !"),
        ("has (app)", 4, "No blank may stand between has and its parenthesis"),
        ("has(app", 7, "expected ), found the end"),
        ("app == 'web", 7, "this quote is never closed"),
        ("app in ['web']", 7, "expected {, found '['"),
        ("app in {'a' 'b'}", 12, "expected ,, found"),
        ("app == 'a'\n&& b == 'c'", 10, "a line break; blanks and tabs only may stand between words"),
        ("(app == 'a'", 11, "expected ), found the end"),
        ("app == 'a' &", 11, "expected && or || or the end, found '&'"),
        ("(" * 200, 129, "more than 128 parentheses inside each other"),
    ],
)
def test_an_error_says_where_and_what(text, position, words):
    found, message = complaint(text)
    assert message.startswith(f"column {position + 1}: ")
    assert found == position
    assert words in message


def test_deep_nesting_within_the_limit_is_read():
    assert holds(parse("(" * 128 + "has(a)" + ")" * 128), {"a": ""})
