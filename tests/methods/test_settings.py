import pytest

from udeansr.errors import UdeansrError
from udeansr.methods import load_settings, parse_settings
from udeansr.methods.udean import UdeanSettings


def test_nothing_said_is_the_default():
    assert parse_settings("udean", []) == UdeanSettings()


def test_values_take_the_type_of_their_field():
    settings = parse_settings(
        "udean", ["udean.lambda_da=1e-2", "udean.alpha = 2", "udean.loss_form=code", "udean.image_adaptation=False"]
    )
    assert settings == UdeanSettings(lambda_da=0.01, alpha=2.0, loss_form="code", image_adaptation=False)
    assert type(settings.alpha) is float


def test_of_two_the_last_holds():
    assert parse_settings("udean", ["udean.beta=1", "udean.beta=2"]).beta == 2


@pytest.mark.parametrize(("word", "value"), [("true", True), ("on", True), ("1", True), ("no", False), ("0", False)])
def test_switches_in_words(word, value):
    assert parse_settings("udean", [f"udean.feature_adaptation={word}"]).feature_adaptation is value


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("udean.beta", "'udean.beta' sets nothing; expected METHOD.NAME=VALUE, for example udean.beta=0.01"),
        ("beta=1", "'beta=1' sets nothing; expected METHOD.NAME=VALUE"),
        ("dasr.beta=1", "'dasr.beta=1' is for the method 'dasr', but the method is 'udean'"),
        ("udean.gamma=1", "the method 'udean' has no setting 'gamma'; it has lambda_image_cycle, "),
        ("udean.beta=much", "udean.beta is 'much'; expected a number"),
        ("udean.beta=", "udean.beta is ''; expected a number"),
        ("udean.beta=-1", "udean.beta is -1.0; expected a weight of at least 0"),
        ("udean.beta=nan", "udean.beta is nan; expected a weight of at least 0"),
        ("udean.beta=inf", "udean.beta is inf; expected a weight of at least 0"),
        ("udean.loss_form=book", "udean.loss_form is 'book'; expected paper or code"),
        ("udean.image_adaptation=perhaps", "udean.image_adaptation is 'perhaps'; expected true or false"),
    ],
)
def test_a_wrong_assignment_is_one_line(assignment, message):
    with pytest.raises(UdeansrError) as caught:
        parse_settings("udean", [assignment])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_method_without_settings_says_so():
    with pytest.raises(UdeansrError, match="the method 'sinc' has no setting 'beta'; it has none"):
        parse_settings("sinc", ["sinc.beta=1"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gamma": 1.0}, "the method 'udean' has no setting 'gamma'"),
        ({"beta": "0.1"}, "udean.beta is '0.1'; expected a number"),
        ({"beta": True}, "udean.beta is 'True'; expected a number"),
        ({"image_adaptation": 1}, "udean.image_adaptation is '1'; expected true or false"),
        ({"loss_form": None}, "udean.loss_form is 'None'; expected paper or code"),
    ],
)
def test_json_is_read_strictly(values, message):
    with pytest.raises(UdeansrError) as caught:
        load_settings("udean", values)
    assert str(caught.value).startswith(message)


def test_json_may_write_a_weight_as_a_whole_number():
    assert load_settings("udean", {"beta": 1}).beta == 1.0
