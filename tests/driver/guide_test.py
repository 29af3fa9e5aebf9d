"""The Python program of docs/guide/calls.md does what it says. The connection is in the environment."""

import json
import pathlib
import re
import types
import uuid

import harness

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "guide" / "calls.md"
ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [],
          "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}


def program() -> types.SimpleNamespace:
    [block] = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(compile(block, str(GUIDE), "exec"), namespace)
    return types.SimpleNamespace(**namespace)


def client(error: Exception | None = None) -> types.SimpleNamespace:
    """A client of a provider that answers, or fails."""
    def create(**_: object) -> types.SimpleNamespace:
        if error:
            raise error
        return types.SimpleNamespace(model_dump_json=lambda: json.dumps(ANSWER))

    return types.SimpleNamespace(chat=types.SimpleNamespace(completions=types.SimpleNamespace(create=create)))


def account(guide: types.SimpleNamespace, limit: int) -> str:
    path = f"guide/{uuid.uuid4()}"
    guide.connection.execute("SELECT tb_create_account(%s)", [path])
    guide.connection.execute("SELECT tb_create_budget(%s, 'tokens', %s)", [path, limit])
    return path


def balance(guide: types.SimpleNamespace, path: str) -> tuple[int, int]:
    assert guide.connection.execute("SELECT * FROM tb_verify()").fetchall() == []
    return tuple(guide.connection.execute("SELECT spent, held FROM tb_remaining(%s)", [path]).fetchone())


def raised(kind: type[Exception], call) -> Exception:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def test_an_answer_is_booked() -> None:
    guide = program()
    path = account(guide, 1000)
    guide.ask(guide.connection, client(), path, "Say hi.", "job-1")
    assert balance(guide, path) == (14, 0)


def test_what_does_not_fit_is_out_of_budget() -> None:
    guide = program()
    path = account(guide, 100)
    error = raised(guide.OutOfBudget, lambda: guide.ask(guide.connection, client(), path, "Say hi.", "job-2"))
    assert error.detail["remaining"] == 100 and error.detail["meter"] == "tokens", error.detail
    assert balance(guide, path) == (0, 0)


def test_a_frozen_account_is_no_permission() -> None:
    guide = program()
    path = account(guide, 1000)
    guide.connection.execute("SELECT tb_freeze(%s, 'test')", [path])
    raised(PermissionError, lambda: guide.ask(guide.connection, client(), path, "Say hi.", "job-3"))


def test_a_call_that_the_provider_refuses_costs_nothing() -> None:
    guide = program()
    path = account(guide, 1000)
    raised(ValueError, lambda: guide.ask(guide.connection, client(ValueError()), path, "Say hi.", "job-4"))
    assert balance(guide, path) == (0, 0)


def test_a_call_that_may_have_been_served_costs_its_input() -> None:
    guide = program()
    path = account(guide, 1000)
    raised(ConnectionError, lambda: guide.ask(guide.connection, client(ConnectionError()), path, "Say hi.", "job-5"))
    spent, held = balance(guide, path)
    counted = guide.connection.execute("SELECT tb_count_tokens('Say hi.', 'gpt-4o') AS tokens").fetchone().tokens
    assert (spent, held) == (counted, 0), (spent, held)


if __name__ == "__main__":
    harness.run(__name__)
