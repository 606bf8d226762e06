"""The types of single fields, and the bases of all models: bodies, queries and answers.

Every type says in its JSON schema what it accepts, so that the document and the checks cannot drift apart.
Messages never repeat what was sent.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from app.domain.amounts import (
    COUNTER_DIGITS_MAX,
    AmountError,
    ScaleError,
    parse_amount,
    parse_decimal,
    significant_digits,
)
from app.domain.durations import DurationError, parse_duration
from app.domain.instants import InstantError, parse_instant
from app.domain.texts import ATTRIBUTE_BYTES_MAX, KEY_LENGTH_MAX, has_control, is_email, read_uuid

AMOUNT_PATTERN = r"^(?=[^1-9]*[1-9])\+?0*[0-9]{1,20}(\.[0-9]{1,18}0*)?$"
BOUND_PATTERN = r"^[+-]?[0-9]{1,60}(\.[0-9]{1,60})?$"
COUNTER_PATTERN = r"^[+-]?[0-9]{1,34}(\.[0-9]{1,34})?$"
REFERENCE_PATTERN = r"^[A-Za-z0-9._:@-]{1,255}$"
INSTANT_PATTERN = r"^(19|2[0-9])[0-9]{2}-"  # From YEAR_MIN to YEAR_MAX.
NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
TEXT_PATTERN = r"^[^\x00]*$"
DURATION_PATTERN = r"^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$"
# Empty clears an address.
EMAIL_PATTERN = r"^$|^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+$"
PLAIN_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"  # No control characters, NUL among them.

# The kinds of fault that have an error code of their own; app/api/faults.py reads them.
AMOUNT_FAULT = "invalid_amount"
SCALE_FAULT = "invalid_scale"
QUANTITY_FAULT = "invalid_quantity"
STRUCTURE_FAULT = "invalid_request"



def fault(message: str, kind: str = "invalid") -> PydanticCustomError:
    """Return the error that a validator raises: a message that does not repeat the value."""
    return PydanticCustomError(kind, message)


def fault_at(field: str, message: str, kind: str = "invalid") -> PydanticCustomError:
    """Return the error that a check of a whole model raises, for the field at fault."""
    return PydanticCustomError(kind, message, {"field": field})


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise fault("must be a string")
    return value


def parse_uuid(value: Any) -> UUID:
    """Read a UUID in its usual form of 36 characters."""
    found = read_uuid(value) if isinstance(value, str) else None
    if found is None:
        raise fault("must be a UUID")
    return found


def _parse_instant(value: Any) -> datetime:
    try:
        return parse_instant(_text_of(value))
    except InstantError as error:
        raise fault(str(error)) from None


def _parse_amount(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise fault('must be a string that holds a decimal, such as "100.00"')
    try:
        return parse_amount(value)
    except AmountError as error:
        raise fault(str(error), AMOUNT_FAULT) from None


def _parse_adjustment(value: Any) -> Decimal:
    """Read an amount of an adjustment, where too many decimals have a code of their own (decision A5)."""
    try:
        return parse_amount(value) if isinstance(value, str) else _parse_amount(value)
    except AmountError as error:
        raise fault(str(error), SCALE_FAULT if isinstance(error, ScaleError) else AMOUNT_FAULT) from None


def _parse_bound(value: Any) -> Decimal:
    """Read a number that amounts are compared with; it need not be one itself."""
    try:
        return parse_decimal(_text_of(value))
    except AmountError as error:
        raise fault(str(error)) from None


def _parse_counter(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise fault('must be a string that holds a decimal, such as "12.5"')
    try:
        number = parse_decimal(value)
    except AmountError as error:
        raise fault(str(error)) from None
    if significant_digits(number) > COUNTER_DIGITS_MAX or number.adjusted() >= COUNTER_DIGITS_MAX:
        raise fault(f"must not have more than {COUNTER_DIGITS_MAX} significant digits")
    return number


def _check_duration(value: Any) -> str:
    text = _text_of(value)
    try:
        parse_duration(text)
    except DurationError as error:
        raise fault(str(error)) from None
    return text


def _check_duration_or_empty(value: Any) -> str:
    return "" if value == "" else _check_duration(value)


def _parse_integer(value: Any) -> int:
    # JSON knows one kind of number: 2.0 is the integer 2. A boolean is not a number.
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise fault("must be an integer")
    return value


def _parse_quantity(value: Any) -> int:
    try:
        number = _parse_integer(value)
    except PydanticCustomError:
        number = 0
    if number < 1:
        raise fault("must be a positive integer", QUANTITY_FAULT)
    return number


def _refuse_control(value: str) -> str:
    if has_control(value):
        raise fault("must not contain control characters")
    return value


def _check_attribute(value: str) -> str:
    if len(value.encode()) > ATTRIBUTE_BYTES_MAX:
        raise fault(f"must not be longer than {ATTRIBUTE_BYTES_MAX} bytes")
    return value


def _check_email(value: str) -> str:
    if value and not is_email(value):
        raise fault("must be an e-mail address")
    return value


def _lower(value: str) -> str:
    lowered = value.lower()
    if len(lowered) > KEY_LENGTH_MAX:
        raise fault(f"must have at most {KEY_LENGTH_MAX} characters")
    return lowered


def _refuse_reserved(value: str) -> str:
    if value.startswith("system:"):
        raise fault("must not start with system:")
    return value


def _parse_query_integer(value: Any) -> int:
    text = _text_of(value)
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18):
        raise fault("must be an integer")
    return int(text)


def _parse_query_boolean(value: Any) -> bool:
    if value not in ("true", "false"):
        raise fault("must be true or false")
    return bool(value == "true")


Uuid = Annotated[UUID, PlainValidator(parse_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
Instant = Annotated[
    datetime, PlainValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN}),
]
_AMOUNT = WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["100.00"],
                          "description": "A positive decimal in plain notation."})
Amount = Annotated[Decimal, PlainValidator(_parse_amount), _AMOUNT]
AdjustmentAmount = Annotated[Decimal, PlainValidator(_parse_adjustment), _AMOUNT]
AmountBound = Annotated[
    Decimal, PlainValidator(_parse_bound),
    WithJsonSchema({"type": "string", "pattern": BOUND_PATTERN, "examples": ["-12.5"]}),
]
CounterValue = Annotated[
    Decimal, PlainValidator(_parse_counter),
    WithJsonSchema({"type": "string", "pattern": COUNTER_PATTERN, "examples": ["12.5"]}),
]
Duration = Annotated[
    str, PlainValidator(_check_duration),
    WithJsonSchema({"type": "string", "maxLength": 64, "pattern": DURATION_PATTERN, "examples": ["720h"],
                    "description": "A Go duration."}),
]
DurationOrEmpty = Annotated[
    str, PlainValidator(_check_duration_or_empty),
    WithJsonSchema({"type": "string", "maxLength": 64, "pattern": f"^$|{DURATION_PATTERN}",
                    "examples": ["720h"], "description": "A Go duration; an empty string removes it."}),
]
# What is below one has a code of its own: invalid_quantity. The flows bound it above.
Quantity = Annotated[
    int, PlainValidator(_parse_quantity), WithJsonSchema({"type": "integer", "minimum": 1})
]
Integer = Annotated[int, PlainValidator(_parse_integer), WithJsonSchema({"type": "integer"})]


def bounded_integer(low: int, high: int) -> Any:
    """Return the type of an integer of a body from `low` to `high`."""

    def check(value: int) -> int:
        if not low <= value <= high:
            raise fault(f"must be between {low} and {high}")
        return value

    return Annotated[
        int, PlainValidator(lambda value: check(_parse_integer(value))),
        WithJsonSchema({"type": "integer", "minimum": low, "maximum": high}),
    ]


def query_integer(low: int, high: int) -> Any:
    """Return the type of an integer of a query from `low` to `high`."""

    def check(value: Any) -> int:
        number = _parse_query_integer(value)
        if not low <= number <= high:
            raise fault(f"must be between {low} and {high}")
        return number

    return Annotated[
        int, PlainValidator(check), WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})
    ]


QueryBoolean = Annotated[bool, PlainValidator(_parse_query_boolean), WithJsonSchema({"type": "boolean"})]

Text = Annotated[StrictStr, Field(json_schema_extra={"pattern": TEXT_PATTERN})]
Name = Annotated[
    StrictStr, Field(min_length=1, max_length=255, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(_refuse_control),
]
Key = Annotated[
    StrictStr, Field(min_length=1, max_length=KEY_LENGTH_MAX, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(_refuse_control),
]
Tag = Annotated[Key, AfterValidator(_lower)]
Description = Annotated[Text, Field(max_length=1000)]
Reason = Annotated[Text, Field(min_length=1, max_length=500)]
AttributeValue = Annotated[
    StrictStr, Field(min_length=1, max_length=4096), AfterValidator(_check_attribute)
]
Email = Annotated[
    StrictStr, Field(max_length=255), AfterValidator(_check_email),
    WithJsonSchema({"type": "string", "maxLength": 255, "pattern": EMAIL_PATTERN}),
]
ReferenceId = Annotated[StrictStr, Field(pattern=REFERENCE_PATTERN)]
IdempotencyKey = Annotated[
    StrictStr, Field(min_length=1, max_length=255), AfterValidator(_refuse_control),
    AfterValidator(_refuse_reserved),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255,
                    "pattern": r"^(?!system:)[^\x00-\x1f\x7f-\x9f]+$"}),
]


class Body(BaseModel):
    """A request body: unknown fields are refused, so that a typo never vanishes (decision A1)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Patch(Body):
    """The body of a partial update: absent fields stay; null clears those named in `nullable`, only those."""

    nullable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        for name in sorted(self.model_fields_set - self.nullable):
            if getattr(self, name) is None:
                raise fault_at(name, "must not be null")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Show fields as nullable only where null means something."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        properties = schema.get("properties", {})
        for name, field in properties.items():
            choices = [choice for choice in field.get("anyOf", ()) if choice != {"type": "null"}]
            if name not in cls.nullable and len(choices) == 1:
                kept = {word: value for word, value in field.items() if word not in ("anyOf", "default")}
                properties[name] = choices[0] | kept
        return schema


class Query(BaseModel):
    """The query of a request: unknown parameters are an `invalid_request` (decision A1)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Answer(BaseModel):
    """The shape of an answer, for the document and the contract tests; it is not applied when sending."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# What answers show: texts in their formats. They document; they do not parse.
UuidText = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
InstantText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
AmountText = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["100.00"]})
]
