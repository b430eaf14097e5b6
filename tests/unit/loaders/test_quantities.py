import pytest

from loaders.clusters.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8", 8),
        (8, 8),
        ("3920m", 4),
        ("0", 0),
        ("0.5", 1),
        ("32Gi", 32 << 30),
        ("16393244Ki", 16393244 << 10),
        ("1.5G", 1_500_000_000),
        ("1e3", 1000),
        ("2E", 2 * 10**18),
        ("12n", 1),
    ],
)
def test_quantities_are_read_as_the_api_reads_them(text, number):
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "eight", "8 Gi", "8gb", "-1", "1e", "1e30", "Gi"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r"quantity|below 0|any machine"):
        parse_quantity(text)
