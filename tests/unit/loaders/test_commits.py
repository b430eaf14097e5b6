"""Policies as each commit of a folder in git left them."""

import gzip
import json
import os
import shutil
import subprocess

import pytest

from loaders import load_history, load_manifests
from simcore.errors import LoadError
from simcore.model.names import ALWAYS
from tests.histories import at, day, namespace, netpol, pod, write_list

BEGIN, END = ALWAYS

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


class Repository:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words, clock="00:00"):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_COMMITTER_DATE": day(clock),
            "GIT_AUTHOR_DATE": day("23:00"),
        }
        subprocess.run(["git", *words], cwd=self.folder, env=environment, check=True, capture_output=True)

    def commit(self, clock, **files):
        """Write files, None to delete one; ``__`` stands for a slash, ``_`` for the dot."""
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content if isinstance(content, str) else json.dumps(content))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change", clock=clock)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


@pytest.fixture
def load(tmp_path, repository):
    """Loads the history of the repository's folder `policies` beside one snapshot."""
    snapshot = write_list(tmp_path / "cluster.json", [pod(), namespace(), netpol("theirs")])

    def loads(folder="policies", *, since="", snapshots=(snapshot,)):
        path = f"{since and day(since) + '='}{repository.folder / folder}"
        return load_history(list(snapshots), policies=path)

    return loads


def names_of(history):
    return [(part.stretch, [policy.ref.name for policy in part.policies]) for part in history.parts]


def errors_of(load, *arguments, **options):
    with pytest.raises(LoadError) as caught:
        load(*arguments, **options)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_each_commit_is_a_set_from_its_committers_date_on(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.commit("11:00", policies__deep__b_yaml=json.dumps(netpol("b")))
    repository.commit("12:00", policies__a_json=None)
    history = load()
    assert names_of(history) == [
        ((BEGIN, at("11:00")), ["a"]),
        ((at("11:00"), at("12:00")), ["a", "b"]),
        ((at("12:00"), END), ["b"]),
    ]
    assert history.moments == (
        f"policies of {repository.folder}/policies: 3 commits, {day('10:00')} to {day('12:00')}",
    )


def test_places_name_the_commit(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.commit("11:00", policies__b_json=netpol("b"))
    first, second = load().parts[1].policies
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository.folder, capture_output=True, text=True)
    assert second.place.file == f"{repository.folder}/policies/b.json@{head.stdout[:12]}"
    assert first.place.file.partition("@")[0] == f"{repository.folder}/policies/a.json"
    assert not first.place.file.endswith(head.stdout[:12])


def test_what_is_not_of_the_folder_or_no_manifest_plays_no_part(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"), other__b_json=netpol("b"), c_json=netpol("c"))
    repository.commit("11:00", policies__notes_txt="no manifest", other__b_json=None)
    repository.commit("12:00", policies__hidden__x_yaml="kind: [", **{"policies___hidden__d_json": netpol("d")})
    repository.git("rm", "-q", "policies/hidden/x.yaml")
    repository.git("commit", "-q", "--amend", "-m", "change", clock="12:00")
    assert names_of(load()) == [(ALWAYS, ["a"])]


def test_a_merge_counts_when_it_was_made(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("10:30", policies__b_json=netpol("b"))
    repository.git("checkout", "-q", "main")
    repository.commit("11:00", other_txt="1")
    repository.git("merge", "-q", "--no-ff", "side", "-m", "merge", clock="12:00")
    assert names_of(load()) == [((BEGIN, at("12:00")), ["a"]), ((at("12:00"), END), ["a", "b"])]


def test_clocks_that_go_back_keep_the_order_of_commits(load, repository):
    repository.commit("12:00", policies__a_json=netpol("a"))
    repository.commit("11:00", policies__b_json=netpol("b"))
    repository.commit("13:00", policies__c_json=netpol("c"))
    assert names_of(load())[-2:] == [((at("12:00"), at("13:00")), ["a", "b"]), ((at("13:00"), END), ["a", "b", "c"])]


def test_snapshots_of_several_moments_beside_commits(load, repository, tmp_path):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.commit("12:00", policies__b_json=netpol("b"))
    write_list(tmp_path / "20261120T090000Z.json", [pod(), namespace()])
    write_list(tmp_path / "20261120T110000Z.json", [pod(), namespace(team="a")])
    history = load(snapshots=[str(tmp_path / "2026*.json")])
    assert names_of(history) == [
        ((BEGIN, at("11:00")), ["a"]),
        ((at("11:00"), at("12:00")), ["a"]),
        ((at("12:00"), END), ["a", "b"]),
    ]
    assert [part.cluster.namespace_labels("shop").get("team") for part in history.parts] == [None, "a", "a"]


def test_packed_manifests(load, repository):
    repository.commit("10:00", policies__a_json_gz=gzip.compress(json.dumps(netpol("a")).encode()))
    assert names_of(load()) == [(ALWAYS, ["a"])]


def test_a_commit_that_cannot_be_read_is_told_with_its_file(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.commit("11:00", policies__a_json={**netpol("a"), "spec": {"podSelector": 5}})
    repository.commit("12:00", policies__a_json=netpol("a"))
    *told, way_out = errors_of(load)
    assert len(told) == 1
    assert "policies/a.json@" in told[0]
    assert way_out.startswith("--policies-history: commits older than the capture need not be read")
    assert names_of(load(since="12:30")) == [(ALWAYS, ["a"])]
    assert len(errors_of(load, since="11:30")) == 2


def test_a_policy_that_two_files_of_a_commit_hold(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"), policies__b_json=netpol("a", "api"))
    told, _ = errors_of(load)
    assert "NetworkPolicy shop/a is given twice and differs" in told
    repository.commit("11:00", policies__b_json=netpol("a"))
    history = load(since="11:30")
    assert names_of(history) == [(ALWAYS, ["a"])]
    assert any("already given, alike" in diagnostic.message for diagnostic in history.diagnostics)


TIER = {"apiVersion": "crd.antrea.io/v1beta1", "kind": "Tier", "metadata": {"name": "own"}, "spec": {"priority": 7}}
IN_TIER = {
    "apiVersion": "crd.antrea.io/v1beta1",
    "kind": "ClusterNetworkPolicy",
    "metadata": {"name": "deny"},
    "spec": {"tier": "own", "priority": 1, "appliedTo": [{"podSelector": {}}], "ingress": [{"action": "Drop"}]},
}


def test_languages_that_lean_on_other_objects(load, repository):
    repository.commit("10:00", policies__tier_json=TIER, policies__acnp_json=IN_TIER)
    repository.commit("11:00", policies__tier_json={**TIER, "spec": {"priority": 9}})
    before, after = load().parts
    assert before.policies[0].rules[0].tier != after.policies[0].rules[0].tier


def test_what_policies_lean_on_may_be_in_the_cluster_alone(load, repository, tmp_path):
    repository.commit("10:00", policies__acnp_json=IN_TIER)
    (part,) = load(snapshots=[write_list(tmp_path / "tiers.json", [namespace(), TIER, netpol("theirs")])]).parts
    assert [policy.ref.name for policy in part.policies] == ["deny"]
    assert any("own" in str(error) for error in errors_of(load))


def test_folders_that_have_no_history(load, repository, tmp_path):
    (told,) = errors_of(load)
    assert "git cannot read its history" in told
    repository.commit("10:00", policies__notes_txt="x")
    (told,) = errors_of(load)
    assert "no commit of this folder holds a manifest" in told
    (told,) = errors_of(load, "absent")
    assert "absent: git cannot read its history" in told
    (told,) = errors_of(lambda: load_history([], policies=str(tmp_path)))
    assert "not a git repository" in told


def test_a_time_that_cannot_be_read(load, repository):
    with pytest.raises(LoadError, match=r"--policies-history 2026-11-20=.*: '2026-11-20' is not a time"):
        load_history([], policies=f"2026-11-20={repository.folder}")


def test_errors_of_the_cluster_are_told_beside(load, repository):
    told = errors_of(load, snapshots=["absent.json"])
    assert len(told) == 2


def test_a_cut_off_history_is_warned_of(load, repository, tmp_path):
    repository.commit("10:00", policies__a_json=netpol("a"))
    repository.commit("11:00", policies__b_json=netpol("b"))
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", f"file://{repository.folder}", str(tmp_path / "clone")],
        check=True,
        capture_output=True,
    )
    history = load_history([write_list(tmp_path / "c.json", [pod()])], policies=str(tmp_path / "clone" / "policies"))
    assert names_of(history) == [(ALWAYS, ["a", "b"])]
    assert any("only the end of this folder's history" in diagnostic.message for diagnostic in history.diagnostics)


def test_the_same_set_as_the_folder_itself(load, repository):
    repository.commit("10:00", policies__a_json=netpol("a"), policies__b_json=netpol("b", ingress=["api"]))
    plain = load_manifests([str(repository.folder / "policies")]).policies
    (part,) = load().parts
    assert [(policy.ref, [rule.subject for rule in policy.rules]) for policy in part.policies] == [
        (policy.ref, [rule.subject for rule in policy.rules]) for policy in plain
    ]
