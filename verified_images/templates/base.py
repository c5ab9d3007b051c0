"""The base of all models of a template: immutable, and with an answer to a misspelt key."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from verified_images.templates.nearest import did_you_mean, nearest


def wrong(message: str) -> PydanticCustomError:
    """Return the error of a value that the template must not have; ``message`` is shown as it is."""
    # The message is passed as a value since pydantic would read braces in it as placeholders.
    return PydanticCustomError("wrong", "{message}", {"message": message})


class TemplateModel(BaseModel):
    """A part of a template; its errors never hold the value that was given, since it may be a secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _name_unknown_keys(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        try:
            return handler(value)
        except ValidationError as error:
            raise _with_nearest_names(error, tuple(cls.model_fields)) from None


def _with_nearest_names(error: ValidationError, valid: tuple[str, ...]) -> ValidationError:
    """Return the error with the nearest valid name for each unknown key of this model.

    A missing key that an unknown one was meant to be is left out: it is one mistake.
    """
    details = error.errors(include_url=False)
    unknown = [str(detail["loc"][0]) for detail in details if _is_own(detail, "extra_forbidden")]
    meant = {nearest(key, valid) for key in unknown}
    return ValidationError.from_exception_data(
        error.title,
        [
            _line_error(detail, valid)
            for detail in details
            if not (_is_own(detail, "missing") and detail["loc"][0] in meant)
        ],
        hide_input=True,
    )


def _is_own(detail: ErrorDetails, kind: str) -> bool:
    return detail["type"] == kind and len(detail["loc"]) == 1


def _line_error(detail: ErrorDetails, valid: tuple[str, ...]) -> InitErrorDetails:
    kind: str | PydanticCustomError = detail["type"]
    if _is_own(detail, "extra_forbidden"):
        key = str(detail["loc"][0])
        kind = wrong(f"unknown key '{key}'{did_you_mean(key, valid)}")
    elif kind == "wrong":
        kind = wrong(detail["ctx"]["message"])
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=detail.get("ctx", {}))
