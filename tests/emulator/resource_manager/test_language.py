"""The template language, function by function, as Azure documents it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.evaluation import evaluate_text, evaluate_value
from verified_images.emulator.resource_manager.deployments.language.grammar import parse, write
from verified_images.emulator.resource_manager.deployments.language.scope import Scope, Values

PARAMETERS = {"Name": "web", "sizes": [1, 2, 3], "shape": {"Sides": 3, "of": {"deep": [10, 20]}}}
VARIABLES = {
    "greeting": "[concat('hello ', parameters('name'))]",
    "copy": [{"name": "squares", "count": 3, "input": "[mul(copyIndex('squares'), copyIndex('squares'))]"}],
    "nested": {"copy": [{"name": "list", "count": 2, "input": "[format('i{0}', copyIndex('list', 1))]"}], "rest": 1},
    "round": "[variables('round')]",
}
MEMBERS: dict[str, dict[str, Any]] = {
    "my.twice": {
        "parameters": [{"name": "n", "type": "int"}],
        "output": {"type": "int", "value": "[mul(2, parameters('n'))]"},
    }
}


@pytest.fixture
def scope() -> Scope:
    variables = evaluate_value({"copy": VARIABLES["copy"]}, Scope(Values({}), {}))
    return Scope(Values(PARAMETERS, {**VARIABLES, **variables}, MEMBERS), {})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # what stands for itself
        ("plain", "plain"),
        ("[[text]", "[text]"),
        ("[not closed", "[not closed"),
        ("['it''s']", "it's"),
        ("[ -5 ]", -5),
        ("[true()]", True),
        ("[null()]", None),
        # names
        ("[parameters('NAME')]", "web"),
        ("[variables('greeting')]", "hello web"),
        ("[variables('squares')]", [0, 1, 4]),
        ("[variables('nested')]", {"list": ["i1", "i2"], "rest": 1}),
        ("[parameters('shape').sides]", 3),
        ("[parameters('shape')['of'].deep[sub(2, 1)]]", 20),
        ("[parameters('shape').?none]", None),
        ("[my.twice(21)]", 42),
        # strings
        ("[concat('a', 1, true())]", "a1True"),
        ("[concat(createArray(1), createArray(2, 3))]", [1, 2, 3]),
        ("[format('{0}-{1:D3} {{x}} {2,4}|', 'a', 7, 'b')]", "a-007 {x}    b|"),
        ("[toUpper(toLower('aB'))]", "AB"),
        ("[trim('  a ')]", "a"),
        ("[substring('abcdef', 1, 3)]", "bcd"),
        ("[substring('abcdef', 4)]", "ef"),
        ("[replace('a-b-c', '-', '')]", "abc"),
        ("[split('a,b;c', createArray(',', ';'))]", ["a", "b", "c"]),
        ("[join(createArray('a', 1), '-')]", "a-1"),
        ("[padLeft(7, 3, '0')]", "007"),
        ("[startsWith('Abc', 'aB')]", True),
        ("[endsWith('abC', 'Bc')]", True),
        ("[indexOf('abcA', 'C')]", 2),
        ("[lastIndexOf('abcA', 'a')]", 3),
        ("[string(createObject('a', 1))]", '{"a":1}'),
        ("[uniqueString('test')]", "rbgf3xv4ufgzg"),
        ("[uniqueString('hello', 'world')]", "a7wkljktk6wne"),
        ("[guid('a', 'b')]", "2d796349-8c7e-55ec-9624-54ece82ed031"),
        ("[base64ToString(base64('zü'))]", "zü"),
        ("[base64ToJson('eyJhIjoxfQ==').a]", 1),
        ("[dataUri('hi')]", "data:text/plain;charset=utf8;base64,aGk="),
        ("[dataUriToString(dataUri('hi'))]", "hi"),
        ("[uri('http://a.b/c/', 'd.json')]", "http://a.b/c/d.json"),
        ("[uriComponentToString(uriComponent('a b/ü'))]", "a b/ü"),
        ("[uriComponent('a b/c')]", "a%20b%2Fc"),
        # numbers and logic
        ("[div(-7, 2)]", -3),
        ("[mod(-7, 2)]", -1),
        ("[int('4')]", 4),
        ("[float('1.5')]", 1.5),
        ("[bool('True')]", True),
        ("[equals('a', 'A')]", False),
        ("[greaterOrEquals('b', 'a')]", True),
        ("[less(1, 2)]", True),
        ("[and(true(), not(false()))]", True),
        ("[or(true(), fails())]", True),
        ("[and(false(), fails())]", False),
        ("[if(true(), 'yes', fails())]", "yes"),
        ("[coalesce(null(), 'x', fails())]", "x"),
        # arrays and objects
        ("[contains(parameters('shape'), 'SIDES')]", True),
        ("[contains('abc', 'B')]", False),
        ("[contains(parameters('sizes'), 2)]", True),
        ("[empty('')]", True),
        ("[first('abc')]", "a"),
        ("[last(parameters('sizes'))]", 3),
        ("[length(parameters('shape'))]", 2),
        ("[max(parameters('sizes'))]", 3),
        ("[min(3, 1, 2)]", 1),
        ("[range(2, 3)]", [2, 3, 4]),
        ("[skip('abc', 1)]", "bc"),
        ("[take(parameters('sizes'), 2)]", [1, 2]),
        ("[union(createArray(1, 2), createArray(2, 3))]", [1, 2, 3]),
        (
            "[union(createObject('a', createObject('x', 1)), createObject('A', createObject('y', 2)))]",
            {"a": {"x": 1, "y": 2}},
        ),
        ("[shallowMerge(createArray(createObject('a', 1), createObject('a', 2)))]", {"a": 2}),
        ("[intersection(createArray(1, 2), createArray(2))]", [2]),
        ("[items(createObject('b', 1, 'a', 2))]", [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
        ("[objectKeys(createObject('b', 1, 'a', 2))]", ["a", "b"]),
        ("[tryGet(parameters('shape'), 'of', 'deep', 5)]", None),
        ("[tryGet(parameters('shape'), 'of', 'deep', 1)]", 20),
        ("[json('{\"a\": [null]}').a[0]]", None),
        ("[array('a')]", ["a"]),
        ("[indexFromEnd(parameters('sizes'), 1)]", 3),
        # dates
        ("[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", "2023-04-07 14:53:14Z"),
        ("[dateTimeAdd('2020-04-07 14:53:14Z', '-P9D', 'yyyy-MM-dd')]", "2020-03-29"),
        ("[dateTimeToEpoch('1970-01-02T00:00:00Z')]", 86400),
        ("[dateTimeFromEpoch(86400)]", "1970-01-02T00:00:00Z"),
        # lambdas
        ("[map(parameters('sizes'), lambda('s', mul(lambdaVariables('s'), 2)))]", [2, 4, 6]),
        ("[map(parameters('sizes'), lambda('s', 'i', lambdaVariables('i')))]", [0, 1, 2]),
        ("[filter(parameters('sizes'), lambda('s', greater(lambdaVariables('s'), 1)))]", [2, 3]),
        ("[reduce(parameters('sizes'), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]", 6),
        (
            "[sort(parameters('sizes'), lambda('a', 'b', greater(lambdaVariables('a'), lambdaVariables('b'))))]",
            [3, 2, 1],
        ),
        (
            "[toObject(parameters('sizes'), lambda('s', format('k{0}', lambdaVariables('s'))))]",
            {"k1": 1, "k2": 2, "k3": 3},
        ),
        (
            "[groupBy(parameters('sizes'), lambda('s', string(mod(lambdaVariables('s'), 2))))]",
            {"1": [1, 3], "0": [2]},
        ),
        ("[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]", {"a": 2}),
        ("[flatten(createArray(createArray(1), createArray(2)))]", [1, 2]),
    ],
)
def test_an_expression_has_the_value_that_azure_documents(scope: Scope, expression: str, value: object) -> None:
    found = evaluate_text(expression, scope)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("[concat('a']", "expected token 'RightParenthesis' and actual 'EndOfData'"),
        ("[name]", "expected token 'LeftParenthesis' and actual 'EndOfData'"),
        ("[concat('a') 'b']", "expected token 'EndOfData' and actual 'String'"),
        ("[concat(#)]", "the string '#)' is not valid"),
        ("[]", "expected token 'Identifier' and actual 'EndOfData'"),
        ("[nothing('a')]", "The template function 'nothing' is not valid"),
        ("[your.twice(1)]", "The template function 'your.twice' is not valid"),
        ("[my.twice()]", "function requires 1 argument(s) while 0 were provided"),
        ("[parameters('none')]", "The template parameter 'none' is not found"),
        ("[variables('none')]", "The template variable 'none' is not found"),
        ("[variables('round')]", "circular reference"),
        (
            "[parameters('shape').none]",
            "The language expression property 'none' doesn't exist, available properties are",
        ),
        ("[parameters('sizes')[3]]", "The language expression property array index '3' is out of bounds"),
        ("[toLower(1)]", "expects its parameter to be of type 'String'. The provided value is of type 'Integer'"),
        ("[toLower('a', 'b')]", "'toLower': function requires 1 argument(s) while 2 were provided"),
        ("[if('x', 1, 2)]", "a parameter of type 'Boolean' is expected"),
        ("[div(1, 0)]", "the divisor is zero"),
        ("[int('x')]", "can't be converted to an integer"),
        ("[json('{')]", "is not valid JSON"),
        ("[copyIndex()]", "The template function 'copyIndex' is not expected at this location"),
        ("[lambdaVariables('x')]", "there is no lambda variable 'x' here"),
        ("[map(createArray(1), 2)]", "a lambda function is expected"),
        ("[range(0, 10001)]", "has to be between 0 and 10000"),
        ("[substring('abc', 2, 5)]", "the index and length parameters must refer to a location within the string"),
        ("[dateTimeAdd('yesterday', 'P1D')]", "the value 'yesterday' is not a date"),
        ("[" + "not(" * 200 + "true()" + ")" * 200 + "]", "nested deeper than 100 levels"),
    ],
)
def test_a_wrong_expression_is_refused_in_azures_words(scope: Scope, expression: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as refused:
        evaluate_text(expression, scope)
    assert sentence in str(refused.value)


@given(st.text(alphabet="[]()'., abc019-{}_$?", max_size=40))
def test_any_text_is_parsed_or_refused_and_written_back_as_it_means(text: str) -> None:
    try:
        node = parse(f"[{text}]")
    except TemplateError:
        return
    assert parse(f"[{write(node)}]") == node


@given(st.text())
def test_the_unique_string_has_thirteen_letters(text: str) -> None:
    found = evaluate_text("[uniqueString(parameters('t'))]", Scope(Values({"t": text}), {}))
    assert len(found) == 13
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz234567")
