"""Files of places: what they say is found, and a broken one is refused when it is read, never later."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort.mmdb import BadPlacesError, Places, read
from serinus.contract.geo import Place
from tests.unit.extproc.cohort.mmdb_file import MARKER, WORLD, Pointer, place, written

GERMANY = Place("DE", "EU", ("DE-BE",))


def of(places: Places, address: str) -> Place | None:
    return places.of(ip_address(address))


@pytest.mark.parametrize("record_bits", [24, 28, 32])
def test_an_address_is_in_its_longest_network(record_bits: int) -> None:
    places = read(written(WORLD, record_bits=record_bits))
    assert of(places, "10.0.0.1") == of(places, "10.255.255.255") == GERMANY
    assert of(places, "10.1.2.3") == Place("US", "NA", ("US-CA", "US-ORC"))
    assert of(places, "192.0.2.200") == Place("", "AS", ())
    assert of(places, "2001:db8:1::5") == Place("FR", "EU", ())
    assert places.count == 4


def test_what_the_file_does_not_know_is_nowhere() -> None:
    places = read(written(WORLD))
    assert of(places, "11.0.0.1") is None
    assert of(places, "::1") is None


def test_a_file_of_ipv4_alone_knows_no_ipv6() -> None:
    places = read(written({"10.0.0.0/8": place("DE")}, ip_version=4))
    assert of(places, "10.9.9.9") == Place("DE")
    assert of(places, "::a09:909") is None


def test_a_country_behind_a_pointer_is_read_as_well() -> None:
    shared = {"iso_code": "DE", "names": {"en": "Germany"}}
    record = {"country": Pointer(0), "continent": {"code": "EU", "names": Pointer(0)}}
    assert of(read(written({"10.0.0.0/8": record}, shared=shared)), "10.0.0.1") == Place("DE", "EU", ())


def test_a_record_with_nothing_that_is_asked_for_is_a_place_without_a_name() -> None:
    values = {"traits": {"rate": 1.5, "big": 1 << 60, "raw": b"x" * 300, "long": "y" * 70_000, "list": [[1], {}]}}
    assert of(read(written({"10.0.0.0/8": values})), "10.0.0.1") == Place()


_networks = st.dictionaries(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(
        lambda drawn: f"{ip_address(drawn[0] >> 32 - drawn[1] << 32 - drawn[1])}/{drawn[1]}"
    ),
    st.sampled_from(["DE", "FR", "US"]).map(place),
    max_size=12,
)


@settings(deadline=None)
@given(networks=_networks, address=st.integers(0, 2**32 - 1), record_bits=st.sampled_from([24, 28, 32]))
def test_it_finds_what_a_search_through_all_networks_finds(
    networks: dict[str, object], address: int, record_bits: int
) -> None:
    from ipaddress import ip_network

    ordered = dict(sorted(networks.items(), key=lambda item: int(item[0].partition("/")[2])))
    expected = None
    for text, record in ordered.items():
        if ip_address(address) in ip_network(text):
            expected = Place(record["country"]["iso_code"])  # type: ignore[index]
    places = read(written(ordered, record_bits=record_bits))
    assert places.of(ip_address(address)) == expected


GOOD = written(WORLD)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no file of MaxMind's DB format"),
        (b"PK\x03\x04" + bytes(1_000), r"next: give a \.mmdb file, unpacked"),
        (GOOD[: GOOD.rfind(MARKER) + len(MARKER)], "it ends too early"),
        (written(WORLD, node_count=10_000_000), "10000000 nodes do not fit"),
        (written(WORLD, node_count=0), "0 nodes do not fit"),
        (written(WORLD, record_size=20), "records of 20 bits"),
        (written(WORLD, ip_version=5), "IPv5"),
        (written(WORLD, binary_format_major_version=3), "format 3"),
        (written(WORLD, node_count="many"), "no number node_count"),
        (written({"10.0.0.0/8": "DE"}), "a map was expected, not type 2"),
        (written({"10.0.0.0/8": {"country": {"iso_code": 49}}}), "a text was expected"),
        (written({"10.0.0.0/8": {"subdivisions": "BE"}}), "an array was expected"),
        (written({"10.0.0.0/8": {"country": Pointer(100_000)}}), "it ends too early"),
        (written({"10.0.0.0/8": Pointer(0)}, shared=Pointer(0)), "a pointer to a pointer"),
    ],
)
def test_a_broken_file_is_refused_when_it_is_read(data: bytes, says: str) -> None:
    with pytest.raises(BadPlacesError, match=says):
        read(data)


def test_values_too_deep_are_refused() -> None:
    value: object = "x"
    for _ in range(40):
        value = {"a": value}
    with pytest.raises(BadPlacesError, match="16 deep"):
        read(written({"10.0.0.0/8": {"more": value}}))


@settings(deadline=None, max_examples=400)
@given(place_in_file=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), address=st.ip_addresses())
def test_a_file_with_a_wrong_byte_is_refused_or_read_and_never_fails_later(
    place_in_file: int, byte: int, address: object
) -> None:
    data = GOOD[:place_in_file] + bytes([byte]) + GOOD[place_in_file + 1 :]
    try:
        places = read(data)
    except BadPlacesError:
        return
    for each in (address, ip_address("10.1.2.3"), ip_address("2001:db8::1")):
        places.of(each)  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", range(0, len(GOOD), 37))
def test_a_file_that_was_cut_is_refused(kept: int) -> None:
    with pytest.raises(BadPlacesError):
        read(GOOD[:kept])
