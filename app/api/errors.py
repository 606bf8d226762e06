"""The error table: which HTTP status each code has, and how an error is written into a response.

The errors themselves stand in app/domain/errors.py; here are only the two that HTTP alone knows.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from flask import Response

from app.domain import errors
from app.domain.errors import DomainError
from app.domain.json import dumps

PROBLEM_JSON = "application/problem+json"


class InternalError(DomainError):
    """A bug; what happened stands in the log under the request id."""

    code = "internal_error"
    default_message = "Something went wrong on our side; quote the request_id when you report it"


class Unavailable(DomainError):
    """The database cannot be reached or is too busy; `retry_after` is in seconds."""

    code = "unavailable"
    default_message = "The service is temporarily unavailable"
    retry_after: ClassVar[int] = 2


STATUS: dict[str, int] = {
    errors.ValidationError.code: 400,
    errors.InvalidRequest.code: 400,
    errors.InvalidAmount.code: 400,
    errors.InvalidScale.code: 400,
    errors.InvalidQuantity.code: 400,
    errors.AssetNotLinked.code: 400,
    errors.RewardProgramMismatch.code: 400,
    errors.SelfTransfer.code: 400,
    errors.LotAssetRequired.code: 400,
    errors.Unauthorized.code: 401,
    errors.Forbidden.code: 403,
    errors.NotFound.code: 404,
    errors.MethodNotAllowed.code: 405,
    errors.PayloadTooLarge.code: 413,
    errors.TooManyRequests.code: 429,
    errors.ParticipantInactive.code: 409,
    errors.IdempotencyConflict.code: 409,
    errors.AlreadyReversed.code: 409,
    errors.QuantityExceedsRemaining.code: 409,
    errors.AmountExceedsRemaining.code: 409,
    errors.MaxTotalExceeded.code: 409,
    errors.MaxPerParticipantExceeded.code: 409,
    errors.ProgramArchived.code: 409,
    errors.ProgramSuspended.code: 409,
    errors.KeyExists.code: 409,
    errors.OrderConflict.code: 409,
    errors.AlreadyLinked.code: 409,
    errors.AssetInUse.code: 409,
    errors.LastAdmin.code: 409,
    errors.AlreadyMember.code: 409,
    errors.GroupArchived.code: 409,
    errors.RuleArchived.code: 409,
    errors.AutomationArchived.code: 409,
    errors.AutomationCompleted.code: 409,
    errors.TierArchived.code: 409,
    errors.EventNotFailed.code: 409,
    errors.NotResendable.code: 409,
    errors.EndpointNotActive.code: 409,
    errors.InsufficientFunds.code: 422,
    errors.AssetArchived.code: 422,
    errors.AssetNotPrefunded.code: 422,
    errors.ProgramInactive.code: 422,
    errors.ParticipantNotFound.code: 422,
    errors.RecipientNotFound.code: 422,
    errors.RewardUnavailable.code: 422,
    errors.NotEligible.code: 422,
    errors.TransactionLimitExceeded.code: 422,
    errors.LimitExceeded.code: 422,
    InternalError.code: 500,
    Unavailable.code: 503,
}


def every_error() -> Iterator[type[DomainError]]:
    """Yield every class that can end a request, the domain's and HTTP's own."""
    yield from DomainError.__subclasses__()


def status_of(error: DomainError | type[DomainError]) -> int:
    """Return the HTTP status of an error."""
    return STATUS[error.code]


def body_of(error: DomainError, request_id: str) -> dict[str, Any]:
    """Return the error as the contract writes it (decision A1)."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    body["request_id"] = request_id
    return body


def problem_of(error: DomainError, request_id: str) -> dict[str, Any]:
    """Return the same error as RFC 9457 has it, with the contract's members as extensions."""
    title = error.code.replace("_", " ").capitalize()
    problem: dict[str, Any] = {
        "type": "about:blank", "title": title, "status": status_of(error), "detail": error.message,
    }
    return problem | body_of(error, request_id)


def respond(error: DomainError, request_id: str, accept: str | None) -> Response:
    """Write the error as a response, in the form the client asked for."""
    if accept is not None and PROBLEM_JSON in accept.lower():
        response = Response(dumps(problem_of(error, request_id)), status_of(error), content_type=PROBLEM_JSON)
    else:
        response = Response(
            dumps(body_of(error, request_id)), status_of(error), content_type="application/json"
        )
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if error.code == errors.Unauthorized.code:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
