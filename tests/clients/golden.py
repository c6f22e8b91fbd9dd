"""The golden requests' Converse bodies against the service model.

    python golden.py [DIRECTORY]

Each pair in tests/compat/golden/*.json that has a `converse` is checked with botocore's validator
and by the patterns, values and limits that botocore leaves to the service.
"""

import json
import pathlib
import sys

from converse_model import Model


def main():
    here = pathlib.Path(__file__).resolve().parent
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "compat" / "golden"
    model = Model()
    passed = failed = 0
    for path in sorted(directory.glob("*.json")):
        pairs = [pair for pair in json.loads(path.read_text()) if "converse" in pair]
        bad = 0
        for pair in pairs:
            request = pair["request"]
            stream = isinstance(request, dict) and bool(request.get("stream"))
            problems = model.problems(pair["model"], stream, pair["converse"])
            if problems:
                bad += 1
                print(f"  {path.name}: {pair['name']}")
                for problem in problems:
                    print(f"    {problem}")
        print(f"{path.name:24} {len(pairs) - bad:4} passed {bad:4} failed")
        passed += len(pairs) - bad
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
