"""Why a process can't start: one tree. The texts are for the operator."""


class WorkerError(Exception):
    """The root of what this room raises."""


class MissingBinaryError(WorkerError):
    """A server's program is not installed."""


class PortInUseError(WorkerError):
    """Somebody else listens where we would."""


class ServerFailedError(WorkerError):
    """A server that we started has not come up, or has ended."""


class RehearsalError(WorkerError):
    """A rehearsal on a real server got stuck."""
