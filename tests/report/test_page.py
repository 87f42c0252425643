import re

import pytest

from udeansr.errors import UdeansrError
from udeansr.report.page import write_page


def test_a_page_asks_for_nothing_and_takes_names_as_text(tmp_path):
    path = write_page(tmp_path / "new" / "a.html", "view.html.j2", "<b>sub-1</b> & co", notes=["a </script> b"])
    text = path.read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;sub-1&lt;/b&gt; &amp; co</title>" in text
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http" not in text.replace('http-equiv="', "")
    assert text.count("</script>") == text.count("<script")


def test_a_page_that_cannot_be_written_is_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UdeansrError, match="cannot be written"):
        write_page(tmp_path / "file" / "a.html", "view.html.j2", "a", notes=[])
