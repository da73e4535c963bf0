"""``python -m undark`` is the command ``undark``."""

from undark.cli.app import main

if __name__ == "__main__":
    main()
