"""`python -m medloop`: the same as the command `medloop`."""

from medloop.cli.main import run

if __name__ == "__main__":
    run()
