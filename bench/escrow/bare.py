"""The INSERT that a hold or a commit comes down to: the same row, into a copy of the table with the same indexes."""

from session import Session

# Ids ascend, as the real ones do: a random one would be hard on the index.
ID = "(to_hex(:id::bigint) || '8000000000000000')::uuid"
# A script's first lines: an id that no other run and no other client makes.
NEXT_ID = r"""
\set n :n + 1
\set id 1152921504606846976 + :run * 1099511627776 + :n * 1024 + :client_id
"""
FRESH = {
    "reservation_id": ID,
    "entry_id": ID,
    "created_at": "clock_timestamp()",
    "recorded_at": "clock_timestamp()",
    "reserved_at": "clock_timestamp()",
    "written_by": "pg_current_xact_id()",
    "expires_at": "clock_timestamp() + interval '1 day'",
}


def copy_table(session: Session, source: str, copy: str) -> None:
    options = session.run(f"SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = '{source}'::regclass").value
    session.run(f"CREATE TABLE {copy} (LIKE {source} INCLUDING ALL)" + (f" WITH ({options})" if options else ""))


def insert(session: Session, source: str, copy: str) -> str:
    """Inserts the values of a row of `source` into `copy`, with an id and instants of its own."""
    columns = session.run(f"""
        SELECT attname FROM pg_attribute
        WHERE attrelid = '{source}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attnum""").value.splitlines()
    row = f"(SELECT * FROM {source} LIMIT 1) AS r"
    values = [FRESH.get(name) or session.run(f'SELECT quote_nullable(r."{name}"::text) FROM {row}').value for name in columns]
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {copy} ({names}) VALUES ({', '.join(values)});\n"


def prepare(session: Session, account: str) -> tuple[str, str]:
    """The statements of a hold and of a commit for the account, after one real cycle that gives the rows."""
    reservation = session.run(
        f"SELECT reservation FROM tb_reserve('{account}', input_tokens => 200, max_output_tokens => 300, ttl => '1 day')"
    ).value
    copy_table(session, "tokbudget.reservation", "public.bare_reservation")
    hold = insert(session, "tokbudget.reservation", "public.bare_reservation")
    session.run(f"""SELECT tb_commit('{reservation}', '{{"input_tokens": 200, "output_tokens": 120}}')""")
    copy_table(session, "tokbudget.entry_default", "public.bare_entry")
    return hold, insert(session, "tokbudget.entry", "public.bare_entry")
