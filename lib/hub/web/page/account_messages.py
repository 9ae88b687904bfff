"""What an administrator asks the page about accounts."""

import json

from lib.hub import accounts as registry


def accounts(page, message):
    """All accounts."""
    return {"accounts": json.loads(json.dumps(registry.list_all(page.hub, page.account), default=str))}


def add_account(page, message):
    """Add an account; its token is in the answer and nowhere else."""
    roles = [str(role) for role in message["roles"]]
    account, token = registry.add(page.hub, str(message["name"]).strip(), roles, bool(message.get("keep_position")),
                                  by=page.account)
    return {"id": account.id, "token": token}


def change_account(page, message):
    """Set the roles of an account, or whether it is active."""
    roles, active = message.get("roles"), message.get("active")
    registry.change(page.hub, page.account, int(message["id"]), None if roles is None else [str(role) for role in roles],
                    None if active is None else bool(active))
    return {"id": int(message["id"])}


def renew_token(page, message):
    """A new token for an account; the old one is void."""
    return {"id": int(message["id"]), "token": registry.renew_token(page.hub, page.account, int(message["id"]))}


HANDLERS = {"accounts": accounts, "add_account": add_account, "change_account": change_account, "renew_token": renew_token}
