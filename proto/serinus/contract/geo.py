"""Where an address is, as far as cohort rules ask: country, continent and regions, by their ISO 3166 codes. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """ "": not known. `regions`: ISO 3166-2, country and subdivision, such as `US-CA`, the larger first."""

    country: str = ""
    continent: str = ""
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GeoTest:
    """The client's address, as Envoy sees it, lies in one of these countries, continents or regions by that file. An
    address that the file does not know is nowhere.
    """

    file: str
    countries: tuple[str, ...] = ()
    continents: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


def is_there(test: GeoTest, place: Place | None) -> bool:
    """Whether a place is one of those that a test names."""
    if place is None:
        return False
    in_region = any(region in test.regions for region in place.regions)
    return in_region or place.country in test.countries or place.continent in test.continents
