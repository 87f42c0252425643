import pytest


@pytest.mark.parametrize(
    ("slab_axes", "scale", "views", "factors", "least"),
    [
        ("Z", "x2x2x1", ((0, 1, 2),), (1, 2, 2), (3, 16, 24)),
        ("Y", "x2x1x3", ((1, 0, 2),), (1, 3, 2), (16, 3, 24)),
        ("X", "x1x2x3", ((2, 0, 1),), (1, 3, 2), (16, 24, 3)),
        ("YX", "x1x1x3", ((1, 0, 2), (2, 0, 1)), (1, 3, 1), (16, 24, 24)),
    ],
)
def test_slabs_are_seen_with_their_axis_first(tiny_configuration, slab_axes, scale, views, factors, least):
    task = tiny_configuration(scale, slab_axes=slab_axes).task
    assert task.views == views and task.slab_factors.zyx == factors
    assert task.least_lr_voxels((16, 24)) == least
