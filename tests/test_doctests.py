"""The examples in docstrings give what they say, in every module that has any."""

from __future__ import annotations

import doctest
import sys
from importlib import import_module
from pathlib import Path

import pytest

import undark
from undark.errors import MissingExtraError

ROOT = Path(undark.__file__).parent


def with_examples() -> list[str]:
    """The modules whose source holds an example; the others need not be imported."""
    found: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def run_examples(name: str) -> int:
    """How many examples of a module were run; the first that is wrong fails the test."""
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == ROOT.name:
            raise
        pytest.skip(f"{name} needs {error.name}, which is not installed")
    runner = doctest.DebugRunner()
    for test in doctest.DocTestFinder().find(module, name):
        try:
            runner.run(test, clear_globs=False)
        except doctest.DocTestFailure as failure:
            line = (test.lineno or 0) + failure.example.lineno + 1
            pytest.fail(
                f"{test.name}, line {line}: >>> {failure.example.source}"
                f"expected {failure.example.want}found {failure.got}"
            )
        except doctest.UnexpectedException as failure:
            error = failure.exc_info[1]
            if isinstance(error, MissingExtraError):
                pytest.skip(f"{test.name}: {error}")
            raise error from None
    return runner.tries


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_of_a_module(name: str) -> None:
    assert run_examples(name) > 0


def test_all_rooms_are_searched() -> None:
    assert {"undark", "undark.models", "undark.evaluate.metrics.psnr"} <= set(with_examples())


WRONG = '"""\n>>> 1 + 1\n3\n"""'
FAILING = '"""\n>>> 1 / 0\n"""'
WITHOUT_PACKAGE = "import no_such_package"
WITHOUT_EXTRA = (
    '"""\n>>> from undark.evaluate.optional import optional\n'
    '>>> optional("no_such_module", "a thing")\n"""'
)


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        (WRONG, pytest.fail.Exception, "expected 3\nfound 2"),
        (FAILING, ZeroDivisionError, "division"),
        (WITHOUT_PACKAGE, pytest.skip.Exception, "no_such_package, which is not installed"),
        (WITHOUT_EXTRA, pytest.skip.Exception, r"undark\[evaluate\]"),
    ],
    ids=["wrong", "failing", "without a package", "without an extra"],
)
def test_an_example_fails_or_is_skipped_with_a_reason(
    source: str,
    outcome: type[BaseException],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "examined.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "examined", raising=False)
    with pytest.raises(outcome, match=reason):
        run_examples("examined")
