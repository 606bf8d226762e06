"""Amounts of value: exact decimals, read from text and printed with an asset's scale."""

import re
from decimal import ROUND_DOWN, Context, Decimal, Inexact, InvalidOperation

# Wide enough for numeric(38, 18) and every sum of them that a statement can show; never rounds in silence.
EXACT = Context(prec=60, traps=[InvalidOperation])

INTEGER_DIGITS_MAX = 20  # numeric(38, 18) leaves 20 digits before the point.
SCALE_MAX = 18
COUNTER_DIGITS_MAX = 34  # decimal128, as in expressions.
_COUNTER = Context(prec=COUNTER_DIGITS_MAX, traps=[Inexact, InvalidOperation])

ZERO = Decimal(0)
_QUANTA = tuple(Decimal(1).scaleb(-scale) for scale in range(SCALE_MAX + 1))
_ZEROS = tuple(f"{quantum * 0:f}" for quantum in _QUANTA)
_PLAIN_SCALE_MAX = 6  # What has no more decimals, `str` writes without an exponent, at a fifth of the cost.
_PLAIN = re.compile(r"[+-]?\d{1,60}(\.\d{1,60})?", re.ASCII)


class AmountError(ValueError):
    """The text is not an amount; the message says why, without a field name."""


class ScaleError(AmountError):
    """The amount has more decimal places than its asset."""


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal such as `"100.00"`; no exponent, no spaces. Raises AmountError."""
    if not _PLAIN.fullmatch(text):
        raise AmountError("must be a decimal number in plain notation, such as \"100.00\"")
    return Decimal(text)


def parse_amount(text: str) -> Decimal:
    """Read a positive amount. Raises AmountError, or ScaleError where it has too many decimal places."""
    value = parse_decimal(text)
    if value <= 0:
        raise AmountError("must be greater than zero")
    check_size(value)
    return value


def check_size(value: Decimal) -> None:
    """Raise AmountError where the value has more digits before or after the point than are stored."""
    if is_vast(value):
        raise AmountError(f"must not have more than {INTEGER_DIGITS_MAX} digits before the decimal point")
    if not fits_scale(value, SCALE_MAX):
        raise ScaleError(f"must not have more than {SCALE_MAX} decimal places")


def add_to_counter(value: Decimal, step: Decimal) -> Decimal:
    """Add exactly. Raises AmountError where the sum needs more digits than a counter keeps."""
    try:
        return _COUNTER.add(value, step)
    except Inexact:
        raise AmountError(f"a counter keeps {COUNTER_DIGITS_MAX} significant digits") from None


def significant_digits(value: Decimal) -> int:
    """Count the digits that a number needs; zeros at its ends do not count."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0")) or 1


def fits_scale(value: Decimal, scale: int) -> bool:
    """Say whether `value` needs no more than `scale` decimal places; trailing zeros do not count."""
    if value.same_quantum(_QUANTA[scale]):
        return True
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    if -exponent <= scale:
        return True
    try:
        value.quantize(
            Decimal(1).scaleb(-scale), rounding=ROUND_DOWN, context=Context(prec=80, traps=[Inexact])
        )
    except Inexact:
        return False
    return True


def format_amount(value: Decimal, scale: int) -> str:
    """Print an amount with exactly `scale` decimals in plain notation; the value must fit."""
    if not value:
        return _ZEROS[scale]
    if scale <= _PLAIN_SCALE_MAX and value.same_quantum(_QUANTA[scale]):
        return str(value)
    return format(value.quantize(_QUANTA[scale], None, EXACT), "f")


def is_vast(value: Decimal) -> bool:
    """Say whether the value has more digits before the point than an amount can have."""
    return bool(value) and value.adjusted() >= INTEGER_DIGITS_MAX


def format_any(value: Decimal, scale: int) -> str:
    """Print what may be no amount of the asset at all: as one where it fits, else in plain notation."""
    fits = fits_scale(value, scale) and not is_vast(value)
    return format_amount(value, scale) if fits else format_plain(value)


def format_plain(value: Decimal) -> str:
    """Print a number in its shortest plain notation: no exponent, no trailing zeros, no negative zero."""
    text = str(value)
    if text.isdecimal():
        return text
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
