# SPDX-License-Identifier: Apache-2.0
"""Whether a sidecar is at work in a session directory."""
import fcntl
import os


def is_held(folder):
    """Asked as `handspan status` does: with a shared lock, which a sidecar
    that is just coming tells from another sidecar's."""
    try:
        fd = os.open(os.path.join(folder, "sidecar.lock"), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
