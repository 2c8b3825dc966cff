"""Closed forms of the last layer against gradients written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import InputError, ShapeError
from medloop.query.information.last_layer import class_factors, expected_gradient_length

shares = hnp.arrays(np.float64, (4, 3), elements=st.floats(0.01, 1.0))


def test_an_even_case_at_the_origin():
    # p - e_c = (-1/2, 1/2), of length √½; the bias alone is the input
    assert expected_gradient_length(np.zeros((1, 2)), np.array([[0.5, 0.5]])) == pytest.approx([np.sqrt(0.5)])


def test_a_sure_case_changes_nothing():
    assert expected_gradient_length(np.ones((1, 2)), np.array([[1.0, 0.0]])) == pytest.approx([0.0])


@given(shares)
def test_the_length_is_that_of_the_written_gradient(rows):
    p = rows / rows.sum(axis=1, keepdims=True)
    features = np.arange(8.0).reshape(4, 2)
    plain = [sum(q[c] * np.linalg.norm(np.outer(q - np.eye(3)[c], [*h, 1.0])) for c in range(3)) for q, h in zip(p, features, strict=True)]
    assert expected_gradient_length(features, p) == pytest.approx(plain)


@given(shares)
def test_factors_square_to_the_covariance_of_the_classes(rows):
    p = rows / rows.sum(axis=1, keepdims=True)
    for factor, q in zip(class_factors(p), p, strict=True):
        assert factor @ factor.T == pytest.approx(np.diag(q) - np.outer(q, q))


def test_logits_and_other_counts_are_refused():
    with pytest.raises(InputError, match="sum to 1"):
        expected_gradient_length(np.zeros((1, 2)), np.array([[2.0, 3.0]]))
    with pytest.raises(ShapeError, match="one row per case"):
        expected_gradient_length(np.zeros((2, 2)), np.array([[0.5, 0.5]]))
