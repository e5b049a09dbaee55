"""Kafka's table of errors against ours: numbers, names, classes, and the tree in the docstring."""

import inspect
import json
import re

import pytest

from kafka_internals import errors
from kafka_internals.errors import (
    ApiException,
    InvalidMetadataException,
    KafkaException,
    NotEnoughReplicasException,
    RetriableException,
    TimeoutException,
    UnknownServerException,
    for_code,
    for_name,
)
from tests.golden.cases import GOLDEN

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)
           if one.__module__ == errors.__name__]
ANSWERED = [one for one in CLASSES if getattr(one, "error_name", None)]
KAFKAS = {entry["name"]: entry for entry in
          json.loads((GOLDEN / "groups/configs.json").read_text("utf-8"))["errors"]}


@pytest.mark.parametrize("error", ANSWERED, ids=lambda error: error.error_name)
def test_each_error_is_kafkas(error):
    kafka = KAFKAS[error.error_name]
    assert (error.code, error.__name__) == (kafka["code"], kafka["exception"])
    assert issubclass(error, RetriableException) == kafka["retriable"]
    assert issubclass(error, ApiException)


@pytest.mark.parametrize("error", ANSWERED, ids=lambda error: error.error_name)
def test_each_error_is_found_by_name_and_number(error):
    assert for_name(error.error_name) is for_code(error.code) is error


def test_numbers_belong_to_one_error_each():
    assert len({error.code for error in ANSWERED}) == len(ANSWERED) > 30


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn, path = {}, []
    for indent, name, code in re.findall(r"^    ([| +-]*)([A-Z]\w+Exception)\b.*?(-?\d+)?$",
                                         errors.__doc__, re.MULTILINE):
        del path[len(indent) // 4:]
        drawn[name] = path[-1] if path else None, int(code) if code else None
        path.append(name)
    known = {one.__name__ for one in CLASSES}
    assert drawn == {
        one.__name__: (one.__base__.__name__ if one.__base__.__name__ in known else None,
                       getattr(one, "code", None)) for one in CLASSES}


def test_an_error_tells_its_meaning_or_what_was_said():
    assert str(NotEnoughReplicasException()) == NotEnoughReplicasException.__doc__
    assert str(NotEnoughReplicasException("only [1] is in sync")) == "only [1] is in sync"


def test_a_subclass_without_a_number_does_not_inherit_one():
    assert errors.BufferExhaustedException.code is None
    assert issubclass(errors.BufferExhaustedException, TimeoutException)
    assert for_code(7) is TimeoutException


def test_numbers_and_names_that_are_not_known():
    assert for_code(31_000) is UnknownServerException
    with pytest.raises(ValueError, match="code 0 is NONE"):
        for_code(0)
    with pytest.raises(ValueError, match="'NOT_AN_ERROR' names no error here"):
        for_name("NOT_AN_ERROR")


def test_a_client_asks_the_class_what_to_do():
    assert issubclass(for_name("NOT_LEADER_OR_FOLLOWER"), InvalidMetadataException)
    assert not issubclass(for_name("NOT_ENOUGH_REPLICAS"), InvalidMetadataException)
    assert not issubclass(errors.IllegalStateException, KafkaException)
