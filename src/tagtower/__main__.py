"""`python -m tagtower`: the same as `tagtower`."""

from tagtower.faces.cli.main import run

if __name__ == "__main__":
    run()
