"""The table against RFC 7541 Appendix B and against another implementation's."""

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from extproc.h2.huffman_data import EOS, LENGTHS, codes


def test_every_code_is_the_one_that_the_hpack_library_has() -> None:
    assert codes() == list(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))


def test_examples_of_appendix_b() -> None:
    table = codes()
    assert len(LENGTHS) == 257
    assert table[ord("0")] == (0x0, 5)
    assert table[ord("a")] == (0x3, 5)
    assert table[0] == (0x1FF8, 13)
    assert table[EOS] == (0x3FFFFFFF, 30)
