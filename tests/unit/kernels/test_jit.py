"""What numba compiled is kept for as long as no source of the room changes."""

from simcore.kernels.jit import forget_stale


def made(folder):
    cache = folder / "__pycache__"
    cache.mkdir(exist_ok=True)
    for name in ("caller.f-1.py311.nbi", "caller.f-1.py311.1.nbc"):
        (cache / name).write_bytes(b"compiled")
    return cache


def compiled(cache):
    return len(list(cache.glob("*.nb[ic]")))


def test_a_change_of_any_source_makes_all_kernels_compile_anew(tmp_path):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "caller.py").write_text("one", "utf-8")
    (tmp_path / "called.py").write_text("two", "utf-8")
    cache = made(tmp_path / "rooms")
    forget_stale(tmp_path)
    assert compiled(cache) == 0
    made(tmp_path / "rooms")
    forget_stale(tmp_path)
    assert compiled(cache) == 2
    (tmp_path / "called.py").write_text("three", "utf-8")
    forget_stale(tmp_path)
    assert compiled(cache) == 0


def test_the_folder_of_compiled_kernels_may_be_missing(tmp_path):
    forget_stale(tmp_path)
    assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == ["kernels.stamp"]
