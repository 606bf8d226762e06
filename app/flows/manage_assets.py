"""Creating and changing assets, and linking them to programs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.book.accounts import create_system_accounts, create_wallet
from app.db import Connection, read_clock, transaction
from app.domain.amounts import fits_scale
from app.domain.errors import (
    AlreadyLinked,
    AssetArchived,
    AssetInUse,
    InvalidAmount,
    KeyExists,
    NotFound,
    ProgramArchived,
)
from app.domain.ids import new_id
from app.domain.names import AssetStatus, IssuancePolicy, OwnerType, ProgramStatus
from app.store import assets, programs, rulesets


def create(
    organization_id: UUID, program_id: UUID, *, name: str, symbol: str, inventory_mode: str,
    issuance_policy: str, scale: int, max_transaction_amount: Decimal | None,
) -> dict[str, Any]:
    """Create an asset with its system accounts, and link it to its first program."""
    check_limit(max_transaction_amount, scale)
    try:
        with transaction() as c:
            _refuse_archived(_locked_program(c, organization_id, program_id))
            now = read_clock(c)
            asset_id = new_id()
            accounts = create_system_accounts(c, organization_id, asset_id, now)
            numbers = (
                accounts[OwnerType.SYSTEM_ISSUANCE], accounts[OwnerType.SYSTEM_BREAKAGE],
                accounts[OwnerType.SYSTEM_REDEMPTION],
            )
            assets.insert(
                c, organization_id, asset_id, now, numbers, name=name, symbol=symbol,
                inventory_mode=inventory_mode, issuance_policy=issuance_policy, scale=scale,
                max_transaction_amount=max_transaction_amount,
            )
            return _link(c, organization_id, program_id, asset_id)
    except UniqueViolation:
        raise KeyExists("An asset with this symbol exists", {"symbol": "is already used"}) from None


def change(organization_id: UUID, asset_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change name, limit or status; an asset that is archived stays so."""
    with transaction() as c:
        asset = assets.lock(c, organization_id, asset_id)
        if asset is None:
            raise NotFound("Asset not found")
        check_limit(changes.get("max_transaction_amount"), asset["scale"])
        now = read_clock(c)
        changed = {**asset, **changes}
        if changed["status"] == AssetStatus.ARCHIVED and asset["status"] != AssetStatus.ARCHIVED:
            changed["deleted_at"] = now
        assets.update(c, organization_id, changed, now)
        rulesets.renew_for_asset(c, organization_id, asset_id, now)
        return _read(c, organization_id, asset_id)


def link(organization_id: UUID, program_id: UUID, asset_id: UUID) -> dict[str, Any]:
    """Link an existing asset to a program."""
    with transaction() as c:
        program = _locked_program(c, organization_id, program_id)
        asset = assets.lock(c, organization_id, asset_id)
        if asset is None:
            raise NotFound("Asset not found")
        _refuse_archived(program)
        if asset["status"] == AssetStatus.ARCHIVED:
            raise AssetArchived()
        return _link(c, organization_id, program_id, asset_id)


def unlink(organization_id: UUID, program_id: UUID, asset_id: UUID) -> None:
    """Take an asset out of a program in which it was never used."""
    with transaction() as c:
        program = _locked_program(c, organization_id, program_id)
        linked_at = assets.linked_at(c, organization_id, program_id, asset_id)
        if linked_at is None:
            raise NotFound("Asset is not linked to this program")
        _refuse_archived(program)
        if assets.used_since(c, organization_id, program_id, asset_id, linked_at):
            raise AssetInUse()
        assets.unlink(c, organization_id, program_id, asset_id)
        rulesets.renew(c, organization_id, program_id, read_clock(c))


def check_limit(limit: Decimal | None, scale: int) -> None:
    """Refuse a limit that no amount of the asset could equal."""
    if limit is not None and not fits_scale(limit, scale):
        raise InvalidAmount(details={
            "max_transaction_amount": f"must not have more than {scale} decimal places"
        })


def _locked_program(c: Connection, organization_id: UUID, program_id: UUID) -> dict[str, Any]:
    program = programs.lock(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    return program


def _refuse_archived(program: Mapping[str, Any]) -> None:
    """Say that a program is closed, which comes after whatever else is named was found (decision A6)."""
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()


def _link(c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID) -> dict[str, Any]:
    now = read_clock(c)
    if not assets.link(c, organization_id, program_id, asset_id, now):
        raise AlreadyLinked()
    asset = _read(c, organization_id, asset_id)
    if asset["issuance_policy"] == IssuancePolicy.PREFUNDED:
        create_wallet(c, organization_id, program_id, asset_id, now)
    rulesets.renew(c, organization_id, program_id, now)
    return asset


def _read(c: Connection, organization_id: UUID, asset_id: UUID) -> dict[str, Any]:
    asset = assets.get(c, organization_id, asset_id)
    assert asset is not None
    return asset
