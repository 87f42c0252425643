import pytest

from udeansr.errors import UdeansrError
from udeansr.methods import load_settings, parse_settings
from udeansr.methods.udean import UdeanSettings


def test_nothing_said_is_the_default():
    assert parse_settings("udean", []) == UdeanSettings()


def test_values_take_the_type_of_their_field():
    settings = parse_settings(
        "udean", ["udean.lambda_da=1e-2", "udean.alpha = 2", "udean.loss_form=code", "udean.feature_adaptation=False"]
    )
    assert settings == UdeanSettings(lambda_da=0.01, alpha=2.0, loss_form="code", feature_adaptation=False)
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
        ("udean.gamma=1", "the settings of udean: unknown key 'gamma'; known are lambda_image_cycle"),
        ("udean.beta=much", "the settings of udean: 'beta' is \"much\""),
        ("udean.beta=", "the settings of udean: 'beta' is \"\""),
        ("udean.beta=-1", "the settings of udean: 'beta' is \"-1\""),
        ("udean.beta=nan", "the settings of udean: 'beta' is \"nan\""),
        ("udean.beta=inf", "the settings of udean: 'beta' is \"inf\""),
        ("udean.warm_start=1.5", "the settings of udean: 'warm_start' is \"1.5\"; expected at most 1"),
        ("udean.loss_form=book", "the settings of udean: 'loss_form' is \"book\"; expected 'paper' or 'code'"),
        ("udean.image_adaptation=perhaps", "the settings of udean: 'image_adaptation' is \"perhaps\""),
    ],
)
def test_a_wrong_assignment_is_one_line(assignment, message):
    with pytest.raises(UdeansrError) as caught:
        parse_settings("udean", [assignment])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_method_without_settings_says_so():
    with pytest.raises(UdeansrError, match="sinc: unknown key 'beta'; known are none"):
        parse_settings("sinc", ["sinc.beta=1"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gamma": 1.0}, "the settings of udean: unknown key 'gamma'"),
        ({"beta": "0.1"}, "the settings of udean: 'beta' is \"0.1\"; expected a number"),
        ({"image_adaptation": 1}, "the settings of udean: 'image_adaptation' is 1; expected true or false"),
    ],
)
def test_json_is_read_strictly(values, message):
    with pytest.raises(UdeansrError) as caught:
        load_settings("udean", values)
    assert str(caught.value).startswith(message)


def test_json_may_write_a_weight_as_a_whole_number():
    assert load_settings("udean", {"beta": 1}).beta == 1.0
