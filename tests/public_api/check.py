"""What the crate shows: every public name, and every foreign type and trait of a signature.

check.py JSON [--write], where JSON is rustdoc's JSON of the crate with all features."""

import json
import pathlib
import sys

# Whose types and traits may stand in a signature. A new major version of one of these is one of ours.
FOREIGN = {"alloc", "bytes", "core", "http", "http_body", "std", "tower_layer", "tower_service"}
# What else may: (path, where it may stand).
EXCEPTIONS = {
    # A record can be written in any format that serde knows.
    ("serde_core::ser::Serialize", "impl"),
    ("serde_core::ser::Serializer", "function"),
    # What spans hang under is the subscriber's matter, and `tracing` is how it is named.
    ("tracing::span::Span", "function"),
    # `pin_project!` writes it, on a name that nobody can say.
    ("pin_project_lite::__private::PinnedFieldsOf", "impl"),
}
NAMES = pathlib.Path(__file__).with_name("names.txt")


def main(file: str, write: bool) -> int:
    doc = json.loads(pathlib.Path(file).read_text())
    names = sorted(set(public(doc)))
    if write:
        NAMES.write_text("".join(f"{name}\n" for name in names))
    bad = foreign(doc)
    for where, what in bad:
        print(f"{where} names {what}")
    known = NAMES.read_text().splitlines()
    gone, new = sorted(set(known) - set(names)), sorted(set(names) - set(known))
    for sign, changed in (("-", gone), ("+", new)):
        for name in changed:
            print(f"{sign} {name}")
    failed = bool(bad or gone or new)
    if gone or new:
        print("the public names changed: if that is meant, run check.sh --write and say it in CHANGELOG.md")
    print(f"public API: {len(names)} names, {len(bad)} foreign types that may not be there")
    return int(failed)


def public(doc):
    """Every public path: modules, types, traits, functions, constants, fields, variants, methods."""
    index = doc["index"]

    def visit(id, path):
        item = index.get(str(id))
        if item is None:
            return
        (kind, inner), = item["inner"].items()
        if kind == "use":
            target = index.get(str(inner["id"]))
            if inner["is_glob"] or target is None:
                yield f"use {'::'.join(path)}::{inner['name']}"
                return
            yield from visit_named(inner["id"], path, inner["name"])
            return
        yield from visit_named(id, path, item["name"])

    def visit_named(id, path, name):
        item = index[str(id)]
        (kind, inner), = item["inner"].items()
        path = [*path, name]
        text = "::".join(path)
        if kind == "module":
            yield f"mod {text}"
            for child in inner["items"]:
                yield from visit(child, path)
        elif kind in ("struct", "enum", "union"):
            yield f"{kind} {text}"
            yield from (f"{text}::{member}" for member in members(kind, inner))
            for impl in inner["impls"]:
                yield from methods(index[str(impl)]["inner"]["impl"], text)
        elif kind == "trait":
            yield f"trait {text}"
            yield from (f"{text}::{index[str(child)]['name']}" for child in inner["items"])
        else:
            yield f"{kind.replace('_', ' ')} {text}"

    def members(kind, inner):
        ids = inner["variants"] if kind == "enum" else fields(inner["kind"])
        return (index[str(id)]["name"] for id in ids if str(id) in index)

    def fields(shape):
        return shape["plain"]["fields"] if isinstance(shape, dict) and "plain" in shape else []

    def methods(impl, text):
        if impl["is_synthetic"] or impl["blanket_impl"]:
            return
        if impl["trait"] is None:
            yield from (f"{text}::{index[str(id)]['name']}" for id in impl["items"] if str(id) in index)
        elif impl["trait"]["path"].rsplit("::")[-1] in ("Default", "From", "FromIterator", "Extend", "Layer", "Service", "Body", "Future"):
            yield f"{text}: {impl['trait']['path'].rsplit('::')[-1]}"

    yield from visit(doc["root"], [])


def foreign(doc):
    """Signatures that name what they may not."""
    paths = doc["paths"]
    found = []

    def walk(value, where, kind):
        if isinstance(value, dict):
            if {"path", "id", "args"} <= value.keys():
                known = paths.get(str(value["id"]))
                if known and known["crate_id"] != 0:
                    path = "::".join(known["path"])
                    if known["path"][0] not in FOREIGN and (path, kind) not in EXCEPTIONS:
                        found.append((where, path))
            for child in value.values():
                walk(child, where, kind)
        elif isinstance(value, list):
            for child in value:
                walk(child, where, kind)

    for item in doc["index"].values():
        (kind, inner), = item["inner"].items()
        made = kind == "impl" and (inner["is_synthetic"] or inner["blanket_impl"])
        if item["crate_id"] != 0 or made:
            continue
        span = item["span"] or {"filename": "?", "begin": ["?"]}
        where = f"{span['filename']}:{span['begin'][0]}: {kind} {item['name'] or ''}".rstrip()
        walk(inner, where, kind)
    return sorted(set(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--write" in sys.argv[2:]))
