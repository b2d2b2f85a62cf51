"""What can go wrong with words: one tree, `RenderingError` at its root.

The one surprising fact: no message here ever quotes a customer's data, only the names of
fields, because these texts end up in the Temporal UI, where no personal data may be.
"""

from engine.matching import ConditionFailed


class RenderingError(Exception):
    """The root: whatever `rendering` raises on purpose."""


class TemplateError(RenderingError):
    """A template that can't be compiled or rendered, and where: `file`, `line`, `problem`."""

    def __init__(self, problem: str, *, file: str, line: int | None = None) -> None:
        super().__init__(f"{file}, line {line}: {problem}" if line else f"{file}: {problem}")
        self.problem = problem
        self.file = file
        self.line = line


class TemplateTooLarge(TemplateError):  # noqa: N818 - says it already
    """The result, or a text computed on the way, is longer than any message needs."""


class TemplateTooSlow(TemplateError):  # noqa: N818
    """The template does more work than any message needs: loops inside loops, usually."""


class ConditionSyntaxError(RenderingError, ValueError):
    """A condition that can't be compiled; says what to write instead."""


class ConditionError(RenderingError, ConditionFailed):
    """A condition that went wrong on this customer, for instance text compared with a number."""


class SenderSyntaxError(RenderingError, ValueError):
    """A `from` that can't be compiled; says what to write instead."""


class MailRefused(RenderingError):  # noqa: N818 - a verdict on a mail
    """A mail whose bytes would not say what was planned: a hostile name, a bad address."""


class ExpressionFailure(RenderingError):  # noqa: N818 - never leaves this room
    """A value that can't be used so; in a template it becomes a `TemplateError` with its line."""


class TooLarge(ExpressionFailure):
    """Becomes `TemplateTooLarge`, with file and line."""


class TooSlow(ExpressionFailure):
    """Becomes `TemplateTooSlow`, with file and line."""
