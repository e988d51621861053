"""`serinus …` and `python -m controlplane …`."""

from controlplane.cli.app import app


def main() -> None:
    app(prog_name="serinus")


if __name__ == "__main__":
    main()
