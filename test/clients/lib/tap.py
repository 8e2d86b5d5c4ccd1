"""Results as TAP, for the programs of test/clients."""

import sys
import traceback

_count = 0
_failed = 0


def ok(good, name, *details):
    global _count, _failed
    _count += 1
    print(("ok" if good else "not ok") + f" {_count} - {name}")
    if not good:
        _failed += 1
        for detail in details:
            print("\n".join("# " + line for line in str(detail).splitlines()))


def equal(got, expected, name):
    ok(got == expected, name, f"got: {got!r}", f"expected: {expected!r}")


def refusal(action):
    """What ACTION raises; None when it does not."""
    try:
        action()
    except Exception as error:
        return error


def test(body):
    """Runs BODY and ends the program: an exception is a failure of its own, and the plan is what was run."""
    try:
        body()
    except Exception:
        ok(False, "the program gets to its end", traceback.format_exc())
    print(f"1..{_count}")
    sys.exit(1 if _failed else 0)
