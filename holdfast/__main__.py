"""The way in: `holdfast ...` and `python -m holdfast ...`."""

import sys


def main() -> int:
    """Run the command on the command line and return its exit code."""
    from holdfast.cli.quick import answer_quickly

    tokens = sys.argv[1:]
    code = answer_quickly(tokens)
    if code is None:
        from holdfast.cli.main import run_command_line

        code = run_command_line(tokens)
    return code


if __name__ == "__main__":
    sys.exit(main())
