"""The rules, one topic a file; `simcore.lint.registry` puts them in order."""
