"""Init data as Telegram signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from tests.bot.telegram import TOKEN


def signed_init_data(
    person_id: int = 7, *, token: str = TOKEN, now_s: float | None = None, **changes: Any
) -> str:
    """Return the query string that the client hands over; None as a value leaves a field out.

    https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
    """
    user = {"id": person_id, "first_name": "Ann & <b>", "language_code": "en"}
    fields = {
        "query_id": "AAF03wc0AgAAAPTfBzR",
        "user": json.dumps(user),
        "auth_date": str(int(time.time() if now_s is None else now_s)),
        "signature": "third-parties-check-this-one",
        **changes,
    }
    fields = {name: value for name, value in fields.items() if value is not None}
    text = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return urlencode({**fields, "hash": signature})
