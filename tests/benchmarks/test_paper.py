"""The paper of `bench all` is made of figures alone: missed floors are told, plots are well formed."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench import paper
from bench.all import objects
from bench.drawing import Bar, bars
from bench.flame import draw, tree

FOLDED = "app/flows/drain:drain;app/engine/decide:decide 30\napp/flows/drain:drain;json/encoder:<x> 10\n"


def kept(ratio: int) -> dict[str, Any]:
    told = {"cel_python_ratio": ratio, "explain_ratio": 9.0, "hundred_rules_us": 12.0,
            "hundred_rules_without_index_us": 40.0, "compile_us": 300}
    part = {"at": "2026-01-01", "seconds": 1, "load": 0.5, "profile": "quick", "arguments": [],
            "figures": [told], "error": None}
    silent = {**part, "figures": [], "error": "Traceback\nthere is no network"}
    return {"machine": {"Python": "3.11"}, "parts": {"cel": part, "ledger": silent}}


def written(folder: Path, ratio: int) -> str:
    paper.write(kept(ratio), FOLDED, folder)
    return folder.with_suffix(".md").read_text(encoding="utf-8")


def test_a_floor_that_is_missed_is_told_and_a_part_that_did_not_run_too(tmp_path: Path) -> None:
    folder = tmp_path / "performance"
    folder.mkdir()
    fine, slow = written(folder, 500), written(folder, 399)
    assert "3 of 3 floors are reached" in fine
    assert "2 of 3 floors are reached" in slow
    assert slow.count("**missed**") == fine.count("**missed**") + 1 == 1
    assert "**ledger: not run.** there is no network" in fine


def test_a_flame_graph_has_a_width_for_each_share_and_is_well_formed() -> None:
    root = tree(FOLDED)
    assert (root.hits, root.calls["app/flows/drain:drain"].hits) == (40, 40)
    drawn = draw(FOLDED, "a < b")
    ElementTree.fromstring(drawn)
    assert "app/engine/decide:decide: 75.0%" in drawn
    assert "json/encoder:&lt;x&gt;: 25.0%" in drawn


def test_bars_are_to_one_scale_and_well_formed() -> None:
    drawn = ElementTree.fromstring(bars("t", "/s", [Bar("a & b", 10), Bar("c", 5, ours=False)], floor=4))
    widths = [float(one.attrib["width"]) for one in drawn if one.attrib.get("class") in ("ours", "other")]
    assert widths[0] == 2 * widths[1]


def test_figures_are_found_between_other_lines() -> None:
    assert objects('start {\n{"a": {"b": 1}}\nrolled up\n{"c": 2}') == [{"a": {"b": 1}}, {"c": 2}]
