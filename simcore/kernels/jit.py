"""The one way kernels are compiled: lazily, without the interpreter's lock, cached on disk where that can be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

CACHE, STAMP = "__pycache__", "kernels.stamp"


def forget_stale(folder: Path) -> None:
    """Remove compiled kernels of a room that were made from other sources.

    numba compiles anew what changed in its own file, but not what calls a kernel of another file that changed.

    Parameters
    ----------
    folder : Path
        Where the sources are; numba keeps what it compiled beside them.
    """
    found = [(str(path.relative_to(folder)), path.stat()) for path in sorted(folder.rglob("*.py"))]
    stamp = "\n".join(f"{name} {status.st_mtime_ns} {status.st_size}" for name, status in found)
    written = folder / CACHE / STAMP
    if written.exists() and written.read_text("utf-8") == stamp:
        return
    for compiled in folder.rglob(f"{CACHE}/*.nb[ic]"):
        compiled.unlink(missing_ok=True)
    written.parent.mkdir(exist_ok=True)
    written.write_text(stamp, "utf-8")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function; where no folder for the cache can be written, every process compiles anew."""
    return _compiled(function, nogil=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function as `kernel` does, whose code goes into that of kernels that call it, however long it is."""
    return _compiled(function, nogil=True, forceinline=True)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)


_builtin: Any = intrinsic


@_builtin
def prefetch(_context: Any, array: Any, index: Any) -> Any:
    """Call an element of an array up from memory without waiting for it: ``prefetch(array, index)``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        call = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(call, [place, word(1), word(3), word(1)])  # to write, into all caches, data
        return context.get_dummy_value()

    return types.void(array, index), generate


_here = Path(__file__).parent
if "NUMBA_CACHE_DIR" not in os.environ and os.access(_here, os.W_OK):
    forget_stale(_here)
