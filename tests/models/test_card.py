import re
from dataclasses import replace

from udeansr.models.card import ModelCard
from udeansr.models.model_file import read_card, read_description
from udeansr.planning.domain import Domain

CARD = ModelCard(
    name="brain-t1w-x2x2x1",
    contrast="T1w",
    scale="x2x2x1",
    lr_spacing_mm=(1.0, 2.0, 2.0),
    orientation="SPL",
    method="`supervised`",
    data="a set",
    weights_licence="cc0-1.0",
    made_by="udeansr_train 1 x2x2x1",
    scores=({"degradation": "a | b", "PSNR": 31.5}, {"degradation": "c", "PSNR": 30}),
    scores_note="Of 8 subjects: `udeansr_evaluate`",
    outside="worse",
    limits=("adults only",),
)


def test_front_matter_goes_before_the_text():
    front, _, text = CARD.markdown().removeprefix("---\n").partition("---\n")
    assert front.splitlines() == [
        'license: "cc0-1.0"',
        "library_name: udeansr",
        'tags: ["mri", "super-resolution", "medical-imaging", "T1w", "x2x2x1"]',
    ]
    assert text.startswith("\n# brain-t1w-x2x2x1\n")


def test_all_that_was_said_is_in_it():
    text = CARD.markdown()
    for said in ("a set", "cc0-1.0", "udeansr_train 1 x2x2x1", "8 subjects", "worse", "- adults only", "1 x 2 x 2 mm"):
        assert said in text
    assert "- Not a medical device" in text
    assert text.count("not said") == 5


def test_tables_have_as_many_cells_in_each_row():
    tables = re.findall(r"(?:^\|.*\n)+", CARD.markdown(), flags=re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "| a \\| b | 31.5 |" in tables[1]


def test_a_card_without_scores_says_so():
    assert "## Scores\n\nnot said\n" in replace(CARD, scores=(), scores_note="").markdown()


def test_where_the_scanner_interpolated_the_card_says_what_a_voxel_is_worth(tiny_model_file):
    description = read_description(tiny_model_file())
    facts = Domain("T1w", 4, (((0.0,),),), 0.1, 0.1, (1.0, 1.0, 1.0))
    told = [
        ModelCard.of(replace(description, domain=replace(facts, resolved_fraction=fractions))).resolution
        for fractions in ((1.0, 1.0, 1.0), (1.0, 0.8, 0.5), None)
    ]
    assert told == ["that of its voxels", "4 x 2.5 x 4 mm: interpolated by the scanner", "not said"]
    card = replace(CARD, resolution=told[1]).markdown()
    assert "| true resolution of the LR | 4 x 2.5 x 4 mm: interpolated by the scanner |" in card


def test_a_description_fills_in_what_it_knows(tiny_model_file):
    path = tiny_model_file(run={"epochs": 3, "iterations_per_epoch": 7})
    card = ModelCard.of(read_description(path))
    assert (card.training, card.data, card.subjects) == ("3 epochs of 7 iterations", "Dataset007_Tiny", "not said")
    assert read_card(path) == card.markdown()
