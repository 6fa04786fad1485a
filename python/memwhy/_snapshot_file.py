# SPDX-License-Identifier: MIT
"""Snapshots in files: pickles, as tracemalloc writes them.

A file is replaced only when all is written, and reading takes what the standard module
wrote too.  C calls dump() and load() (src/pyext/snapshot_type.c).
"""

import os
import pickle
import stat

_STANDARD_MODULE = "tracemalloc"
_OUR_MODULE = "memwhy.tracemalloc"


class _Unpickler(pickle.Unpickler):
    """Gives our types for those of the standard module."""

    def find_class(self, module, name):
        return super().find_class(_OUR_MODULE if module == _STANDARD_MODULE else module, name)


def load(filename):
    """Return the Snapshot in the file.

    Raises OSError if the file cannot be read, and EOFError, pickle.UnpicklingError or
    ValueError, each with one sentence, if it holds no snapshot.
    """
    with open(filename, "rb") as file:
        try:
            snapshot = _Unpickler(file).load()
        except (OSError, RecursionError):
            raise
        except EOFError as error:
            raise EOFError("%s ends before the snapshot does" % (filename,)) from error
        except ValueError as error:
            raise ValueError("%s holds no usable snapshot: %s" % (filename, error)) from error
        except Exception as error:
            # A pickle that is damaged, or is none, fails in every way there is.
            reason = str(error) or type(error).__name__
            raise pickle.UnpicklingError(
                "%s holds no usable snapshot: %s" % (filename, reason)
            ) from error
    return _checked(snapshot, filename)


def _checked(snapshot, filename):
    from memwhy._memwhy import Snapshot, _Traces

    if not isinstance(snapshot, Snapshot):
        raise ValueError("%s holds a %s, no snapshot" % (filename, type(snapshot).__name__))
    attributes = vars(snapshot)
    if not isinstance(attributes.get("traces"), _Traces) or "traceback_limit" not in attributes:
        raise ValueError("%s holds a snapshot without traces" % (filename,))
    return snapshot


def dump(snapshot, filename):
    """Write the snapshot into the file.  Raises OSError if that cannot be."""
    _write(filename, lambda file: pickle.dump(snapshot, file, pickle.HIGHEST_PROTOCOL))


def write_bytes(filename, data):
    """Write the bytes into the file.  Raises OSError if that cannot be."""
    _write(filename, lambda file: file.write(data))


def _write(filename, fill):
    if isinstance(filename, int) or not _can_be_replaced(filename):
        with open(filename, "wb") as file:
            fill(file)
    else:
        _replace(os.path.realpath(os.fsdecode(filename)), fill)


def _can_be_replaced(filename):
    """Terminals, pipes and the like cannot, nor can what lies in a closed directory."""
    directory = os.path.dirname(os.path.realpath(os.fsdecode(filename)))
    try:
        return stat.S_ISREG(os.stat(filename).st_mode) and os.access(directory, os.W_OK)
    except FileNotFoundError:
        return os.path.isdir(directory)


def _replace(path, fill):
    """Write beside the file, then rename; what fails leaves the old file as it was."""
    aside = os.path.join(os.path.dirname(path), ".memwhy-%s" % os.urandom(8).hex())
    if os.path.exists(path):
        open(path, "r+b").close()  # refuses where opening for writing would
    with open(aside, "xb") as file:
        try:
            fill(file)
            file.flush()
            if os.path.exists(path):
                os.fchmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
            os.replace(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
