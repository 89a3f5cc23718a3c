"""`python -m jlora_cli` is `jlora`."""

from jlora_cli.cli import main

if __name__ == "__main__":
    main()
