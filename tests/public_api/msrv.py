"""Whether every dependency allows the Rust version that Cargo.toml states: cargo metadata | msrv.py."""

import json
import sys

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = metadata["resolve"]["root"]


def version(text: str) -> tuple[int, ...]:
    numbers = [int(number) for number in text.split(".")]
    return (*numbers, 0, 0)[:3]


def used(id: str, seen: set[str]) -> set[str]:
    """What is built for a user: not what is for tests alone."""
    for dependency in nodes[id]["deps"]:
        kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
        if kinds != {"dev"} and dependency["pkg"] not in seen:
            seen.add(dependency["pkg"])
            used(dependency["pkg"], seen)
    return seen


ours = packages[root]["rust_version"]
crates = [packages[id] for id in used(root, {root})]
newer = [crate for crate in crates if version(crate["rust_version"] or "1") > version(ours)]
for crate in newer:
    print(f"{crate['name']} {crate['version']} needs Rust {crate['rust_version']}")
print(f"rust-version {ours}: {len(crates)} crates, {len(newer)} need a newer one")
sys.exit(bool(newer or len(crates) < 20))
