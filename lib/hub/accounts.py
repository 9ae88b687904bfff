"""Who may do what in the hub? Accounts, their roles, the actions of each role, and the bearer tokens that tell who asks.

In the database an account is a row of hub.person.
"""

import hashlib
import secrets
from dataclasses import dataclass

from psycopg2 import errors

ROLES = ("supplier", "customer", "premium", "reviewer", "admin")
ACTIONS = {  # an action: the roles that may take it; the first one an account has is the role in PostgreSQL
    "submit": ("supplier",),
    "own": ("supplier",),                                   # see one's own batches and what became of them
    "browse": ("customer", "premium", "reviewer", "supplier", "admin"),   # labels, counts, accepted pictures
    "select": ("customer", "premium"),
    "version": ("customer", "premium"),
    "download": ("customer", "premium"),
    "watch": ("customer", "premium"),
    "train": ("premium",),                                  # ask for a training, see it, cancel it
    "review": ("reviewer",),
    "accounts": ("admin",),                                 # add accounts, change their roles, renew their tokens
    "work": (),                                             # verification, watch-list, trainings: the program itself
}


class Forbidden(PermissionError):
    """An action that the roles of this account do not allow."""


@dataclass(frozen=True)
class Account:
    """Someone who is known to the hub."""

    id: int | None
    name: str
    roles: tuple
    keep_position: bool = False


OPERATOR = Account(None, "operator", ())   # the program itself, and who runs it at the command line


def is_allowed(account, action):
    """Whether an account may take an action."""
    return action == "work" and account is OPERATOR or bool(set(ACTIONS[action]) & set(account.roles))


def database_role(account, action):
    """The PostgreSQL role under which an account's action runs; Forbidden."""
    if not is_allowed(account, action):
        who = " or ".join(ACTIONS[action]) or "the operator"
        raise Forbidden(f"{account.name} may not {action}: it takes the role {who}; ask the hub's operator")
    return next((f"hub_{role}" for role in ACTIONS[action] if role in account.roles), "hub_worker")


def token_hash(token):
    """The hash that is kept of a token; with 256 random bits in it, a slow or salted one would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def find(hub, name):
    """The Account of this name; ValueError where there is none."""
    account = _select(hub, "SELECT id FROM hub.person WHERE name = %s", name)
    if account is None:
        raise ValueError(f"there is no person {name[:100]!r}; add one: python -m lib hub people NAME --roles …")
    return account


def find_by_token(hub, token):
    """The active Account whose token this is, or None."""
    return _select(hub, "SELECT id FROM hub.person WHERE token = %s AND active", token_hash(token))


def _select(hub, query, value):
    with hub.owner_transaction() as cursor:
        cursor.execute(query, (value,))
        cursor.execute("SELECT id, name, ARRAY(SELECT role FROM hub.person_role WHERE person = id ORDER BY role), "
                       "keep_position FROM hub.person WHERE id = %s", cursor.fetchone() or (None,))
        found = cursor.fetchone()
    return Account(found[0], found[1], tuple(found[2]), found[3]) if found else None


# --- changed, by the operator or an administrator


def add(hub, name, roles, keep_position=False, by=None):
    """A new Account and its token, which is returned once and kept nowhere; ValueError where the name is taken.

    It is added `by` an administrator, or by the operator where none is named. Raises Forbidden.
    """
    _check_roles(roles)
    token = _new_token()
    with hub.owner_transaction() if by is None else hub.transaction(by, "accounts") as cursor:
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


def list_all(hub, admin):
    """All accounts by name: dicts of id, name, roles, active, keep_position, quality and created."""
    with hub.transaction(admin, "accounts") as cursor:
        cursor.execute("SELECT id, name, ARRAY(SELECT role FROM hub.person_role WHERE person = id ORDER BY role), active, "
                       "keep_position, quality, created FROM hub.person ORDER BY lower(name)")
        return [dict(zip(("id", "name", "roles", "active", "keep_position", "quality", "created"), row, strict=True))
                for row in cursor.fetchall()]


def change(hub, admin, number, roles=None, active=None):
    """Set the roles of an account, or whether it is active; None leaves either as it is.

    Raises ValueError where there is no such account, or where an administrator would shut themselves out, and Forbidden.
    """
    if number == admin.id and (active is False or roles is not None and "admin" not in roles):
        raise ValueError("you cannot take the role admin from yourself, nor end your own account; another admin can")
    if roles is not None:
        _check_roles(roles)
    with hub.transaction(admin, "accounts") as cursor:
        cursor.execute("UPDATE hub.person SET active = coalesce(%s, active) WHERE id = %s RETURNING id", (active, number))
        if not cursor.fetchone():
            raise ValueError(f"there is no account {number}")
        if roles is not None:
            cursor.execute("DELETE FROM hub.person_role WHERE person = %s AND role <> ALL(%s)", (number, list(roles)))
            cursor.execute("INSERT INTO hub.person_role SELECT %s, unnest(%s) ON CONFLICT DO NOTHING", (number, list(roles)))


def renew_token(hub, admin, number):
    """A new token of an account, which makes the old one void; ValueError where there is no such account, and Forbidden."""
    token = _new_token()
    with hub.transaction(admin, "accounts") as cursor:
        cursor.execute("UPDATE hub.person SET token = %s WHERE id = %s RETURNING id", (token_hash(token), number))
        if not cursor.fetchone():
            raise ValueError(f"there is no account {number}")
    return token


def _check_roles(roles):
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise ValueError(f"roles are {', '.join(roles)[:200] or 'none'}; they must be some of {', '.join(ROLES)}")


def _new_token():
    return "hub_" + secrets.token_urlsafe(32)
