"""Golden files: exact output, compared with `tests/golden/NAME`, rewritten by `pytest --update-golden`."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "golden"


def compare(name: str, text: str, update: bool) -> None:
    path = FOLDER / name
    if update:
        path.write_text(text, "utf-8")
        return
    assert path.exists(), f"there is no {path}; make it with: pytest --update-golden"
    assert text == path.read_text("utf-8")
