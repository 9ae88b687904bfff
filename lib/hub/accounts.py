"""Who may do what in the hub? Roles, the actions each may take, and the bearer tokens by which people are known."""

import hashlib
import secrets
from dataclasses import dataclass

from psycopg2 import errors

ROLES = ("supplier", "customer", "premium", "reviewer")
ACTIONS = {  # an action: the roles that may take it; the first one a person has is the role in PostgreSQL
    "submit": ("supplier",),
    "own": ("supplier",),                                   # see one's own batches and what became of them
    "browse": ("customer", "premium", "reviewer", "supplier"),   # labels, counts, accepted pictures
    "select": ("customer", "premium"),
    "version": ("customer", "premium"),
    "download": ("customer", "premium"),
    "watch": ("customer", "premium"),
    "train": ("premium",),                                  # ask for a training, see it, cancel it
    "review": ("reviewer",),
    "work": (),                                             # verification, watch-list, trainings: the program itself
}


class Forbidden(PermissionError):
    """An action that this person's roles do not allow."""


@dataclass(frozen=True)
class Account:
    """Someone who is known to the hub."""

    id: int | None
    name: str
    roles: tuple
    keep_position: bool = False


OPERATOR = Account(None, "operator", ())   # the program itself, and who runs it at the command line


def is_allowed(account, action):
    """Whether a person may take an action."""
    return action == "work" and account is OPERATOR or bool(set(ACTIONS[action]) & set(account.roles))


def database_role(account, action):
    """The PostgreSQL role under which a person's action runs; Forbidden."""
    if not is_allowed(account, action):
        who = " or ".join(ACTIONS[action]) or "the operator"
        raise Forbidden(f"{account.name} may not {action}: it takes the role {who}; ask the hub's operator")
    return next((f"hub_{one}" for one in ACTIONS[action] if one in account.roles), "hub_worker")


def token_hash(token):
    """The hash that is kept of a token; with 256 random bits in it, a slow or salted one would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def add(hub, name, roles, keep_position=False):
    """A new Person and their token, which is told once and kept nowhere; ValueError where the name is taken."""
    unknown = [one for one in roles if one not in ROLES]
    if unknown or not roles:
        raise ValueError(f"roles are {', '.join(roles) or 'none'}; they must be some of {', '.join(ROLES)}")
    token = "hub_" + secrets.token_urlsafe(32)
    with hub.owner_transaction() as cursor:
        try:
            cursor.execute("INSERT INTO hub.person (name, token, keep_position) VALUES (%s, %s, %s) RETURNING id",
                           (name, token_hash(token), keep_position))
            number, = cursor.fetchone()
            cursor.execute("INSERT INTO hub.person_role SELECT %s, unnest(%s) ON CONFLICT DO NOTHING", (number, list(roles)))
        except errors.UniqueViolation as error:
            raise ValueError(f"there is a person {name[:100]!r} already; choose another name") from error
        except errors.CheckViolation as error:
            raise ValueError(f"the name {name[:120]!r} is empty, too long, or begins or ends in a blank") from error
    return Account(number, name, tuple(sorted(roles)), keep_position), token


def find(hub, name):
    """The Person of this name; ValueError where there is none."""
    account = _select(hub, "SELECT id FROM hub.person WHERE name = %s", name)
    if account is None:
        raise ValueError(f"there is no person {name[:100]!r}; add one: python -m lib hub people NAME --roles …")
    return account


def find_by_token(hub, token):
    """The active Person whose token this is, or None."""
    return _select(hub, "SELECT id FROM hub.person WHERE token = %s AND active", token_hash(token))


def _select(hub, query, value):
    with hub.owner_transaction() as cursor:
        cursor.execute(query, (value,))
        cursor.execute("SELECT id, name, ARRAY(SELECT role FROM hub.person_role WHERE person = id ORDER BY role), "
                       "keep_position FROM hub.person WHERE id = %s", cursor.fetchone() or (None,))
        found = cursor.fetchone()
    return Account(found[0], found[1], tuple(found[2]), found[3]) if found else None
