"""Lints folders of manifests, and writes and applies what is found."""

from pathlib import Path
from shutil import copy

import yaml

from simcore.cli.captures import CaptureInput
from simcore.cli.inputs import Sources, WantedProfile
from simcore.cli.lint import context_of
from simcore.lint.registry import chosen
from simcore.lint.running import lint
from simcore.report.lint import fix_yaml
from simcore.report.written import Lines

CAPTURE = "flows.log"


def linted(folder, *codes, plugin=None):
    """What the rules of some codes find in a folder, with the capture that is in it; all of them without any."""
    captured = CaptureInput(tuple(map(str, Path(folder).glob(CAPTURE))), {}, None, True)
    context = context_of(Sources((str(folder),)), WantedProfile(plugin), captured)
    return lint(context, chosen(codes))


def told(result, folder):
    """Findings as `expected.txt` has them, files named within the folder."""
    lines = Lines(result.texts)
    parts = []
    for finding in result.findings:
        place = finding.place
        name = Path(place.file).relative_to(folder) if place.file else "-"
        parts.append(f"{finding.code} {name}:{place.line}:{lines.column(place)} {place.field}".rstrip())
        parts += [f"  {text}" for text in (finding.message, *finding.details)]
        if finding.fix is not None:
            parts += ["  fix:", *(f"    {line}" for line in fix_yaml(finding.fix).splitlines())]
    return "".join(f"{part}\n" for part in parts)


def with_fix(source, target, fix):
    """Write the manifests of a folder with a fix applied to another, and its capture."""
    for path in Path(source).glob(CAPTURE):
        copy(path, target)
    fixed = yaml.safe_load(fix_yaml(fix))
    found = {}
    for path in sorted(Path(source).glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            if document is not None:
                found[_key(document)] = document
    found[_key(fixed)] = fixed
    (target / "all.yaml").write_text(yaml.safe_dump_all(found.values(), sort_keys=False), "utf-8")


def _key(document):
    metadata = document["metadata"]
    return document["apiVersion"], document["kind"], metadata.get("namespace", "default"), metadata["name"]
