"""What is read of some 300 trees, as `source_trees.txt` has it."""

from pathlib import Path

import pytest

from tests.source_trees import table, trees


@pytest.mark.slow
@pytest.mark.posix
def test_each_tree_is_read_as_the_table_says() -> None:
    expected = Path(__file__).with_name("source_trees.txt").read_text("utf-8")
    assert table(trees()).splitlines() == expected.splitlines()
