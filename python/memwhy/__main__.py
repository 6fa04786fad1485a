# SPDX-License-Identifier: MIT
"""`python -m memwhy …` is the native command, for this interpreter."""
import os
import sys
import sysconfig


def _find_command():
    directories = [os.path.dirname(sys.executable), sysconfig.get_path("scripts")]
    if sysconfig.get_path("scripts", f"{os.name}_user"):
        directories.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for directory in directories:
        path = os.path.join(directory, "memwhy")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def main():
    command = _find_command()
    if command is None:
        sys.stderr.write("memwhy: the memwhy command is missing beside this Python; "
                         "install memwhy again.\n")
        sys.exit(2)
    arguments = sys.argv[1:]
    if arguments[:1] in (["run"], ["doctor"]):
        # The interpreter that was asked; a --python that follows wins.
        arguments[1:1] = ["--python", sys.executable]
    os.execv(command, [command, *arguments])


if __name__ == "__main__":
    main()
