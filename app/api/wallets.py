"""Program wallets over HTTP: fund, burn, balance, history, statement."""

from app.api.balance_lists import answer_balances, answer_history, balances_of
from app.api.models import balances as models
from app.api.owners import balance_view
from app.api.routing import Reply, Request, route
from app.api.statements import statement
from app.book import assets
from app.db import connection
from app.domain import errors
from app.domain.errors import DomainError, NotFound
from app.domain.names import EntryType, IssuancePolicy, OwnerType
from app.flows.fund import change_wallet
from app.flows.idempotency import hash_of
from app.flows.move_value import Call, find_program

_TAG = "Wallets"
_ERRORS: list[type[DomainError]] = [
    errors.NotFound, errors.AssetNotLinked, errors.AssetNotPrefunded, errors.AssetArchived,
    errors.InvalidAmount, errors.ProgramSuspended, errors.ProgramArchived,
]
_EXAMPLE = {"amount": "1000.00", "description": "Budget of the first quarter"}


def _change(request: Request, action_type: EntryType) -> Reply:
    body: models.Fund = request.body
    program_id, asset_id = request.path["id"], request.path["asset_id"]
    outcome = change_wallet(
        Call(request.organization_id, request.api_key_id, program_id, asset_id), action_type, body.amount,
        body.description, body.idempotency_key,
        hash_of(action_type.lower(), [program_id, asset_id], body.model_dump()),
    )
    return Reply(200, outcome.response, replayed=outcome.replayed)


@route(
    "POST", "/v1/programs/{id}/assets/{asset_id}/fund", summary="Fund a program's wallet", tag=_TAG,
    body=models.Fund, responses={200: models.Funded}, example=_EXAMPLE, errors=_ERRORS,
    description="Credits of a PREFUNDED asset draw from the wallet; it is filled from issuance.",
)
def fund_program(request: Request) -> Reply:
    """Put value into a program's wallet."""
    return _change(request, EntryType.FUND)


@route(
    "POST", "/v1/programs/{id}/assets/{asset_id}/burn", summary="Burn from a program's wallet", tag=_TAG,
    body=models.Fund, responses={200: models.Funded}, example=_EXAMPLE,
    errors=[*_ERRORS, errors.InsufficientFunds],
    description="Moves value from the wallet to breakage; never more than is there.",
)
def burn_program(request: Request) -> Reply:
    """Take value out of a program's wallet."""
    return _change(request, EntryType.BURN)


@route(
    "GET", "/v1/programs/{id}/balance", summary="List a program's wallets", tag=_TAG,
    query=models.BalancesQuery, responses={200: models.WalletBalanceList}, errors=[NotFound],
    description="Only PREFUNDED assets have a wallet.",
)
def list_program_balance(request: Request) -> Reply:
    """List a program's wallets by asset, now or as of an instant."""
    with connection() as c:
        find_program(c, request.organization_id, request.path["id"])
        found = balances_of(
            c, request.organization_id, request.path["id"], request.query.asset_id, request.query.as_of
        )
        known = assets.many(c, request.organization_id, [each.asset_id for each in found])
    # A rule may credit the program itself with an UNLIMITED asset, too; nothing is ever drawn from that.
    wallets = [each for each in found if known[each.asset_id].policy is IssuancePolicy.PREFUNDED]
    return answer_balances(
        request, wallets, lambda each: {**balance_view(each), "issuance_policy": "PREFUNDED"}
    )


@route(
    "GET", "/v1/programs/{id}/history", summary="List a wallet's movements", tag=_TAG,
    query=models.HistoryQuery, responses={200: models.HistoryList}, errors=[NotFound],
    description="Each row is a fund, a burn, or a credit that drew from the wallet or returned to it.",
)
def list_program_history(request: Request) -> Reply:
    """List the postings on a program's wallets, newest first."""
    with connection() as c:
        find_program(c, request.organization_id, request.path["id"])
        return answer_history(c, request, request.path["id"])


@route(
    "GET", "/v1/programs/{id}/statement", summary="A wallet's statement", tag=_TAG,
    query=models.StatementQuery, responses={200: models.Statement}, errors=[NotFound],
)
def get_program_statement(request: Request) -> Reply:
    """Show a running-balance statement of one wallet."""
    return statement(request, OwnerType.PROGRAM)
