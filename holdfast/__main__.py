"""The way in: `holdfast ...` and `python -m holdfast ...`."""

import sys


def main() -> int:
    """Run the command on the command line and return its exit code."""
    from holdfast.cli.main import run_command_line

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
