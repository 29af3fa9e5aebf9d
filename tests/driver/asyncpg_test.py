"""The contract of errors and the race once more, with asyncpg: binary protocol, prepared statements, one event loop."""

import asyncio
import json
import uuid

import asyncpg

import harness

CLIENTS = 16


async def account(connection: asyncpg.Connection, limit: int) -> str:
    path = f"driver/{uuid.uuid4()}"
    await connection.execute("SELECT tb_create_account($1)", path)
    await connection.execute("SELECT tb_create_budget($1, 'tokens', $2)", path, limit)
    return path


async def refusal() -> None:
    connection = await asyncpg.connect()
    path = await account(connection, 100)
    try:
        await connection.execute("SELECT tb_reserve($1, input_tokens => 101)", path)
    except asyncpg.PostgresError as error:
        assert error.sqlstate == "TB001", error.sqlstate
        assert json.loads(error.detail)["requested"] == 101, error.detail
        assert error.hint
    else:
        raise AssertionError("accepted")
    await connection.close()


async def composite_results() -> None:
    connection = await asyncpg.connect()
    path = await account(connection, 100)
    held = await connection.fetchval("SELECT tb_reserve($1, input_tokens => 40)", path)
    assert isinstance(held["reservation"], uuid.UUID) and held["state"] == "held", held
    assert json.loads(held["remaining"]) == {"tokens": 60}, held
    receipt = await connection.fetchval("SELECT tb_commit($1, $2)", held["reservation"], '{"input_tokens": 30, "output_tokens": 5}')
    assert receipt["tokens"] == 35 and receipt["cost"] is None and receipt["overrun"] is False, receipt
    assert json.loads(receipt["remaining"]) == {"tokens": 65}, receipt
    await connection.close()


async def race() -> None:
    async with asyncpg.create_pool(min_size=CLIENTS, max_size=CLIENTS) as pool:
        async with pool.acquire() as connection:
            path = await account(connection, 500)

        async def client() -> int:
            allowed = 0
            while await pool.fetchval("SELECT allowed FROM tb_try_reserve($1, input_tokens => 3)", path):
                allowed += 1
            return allowed

        allowed = sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))
        assert allowed == 166, allowed
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT held::bigint FROM tb_remaining($1)", path) == 498
            assert await connection.fetch("SELECT * FROM tb_verify()") == []


def test_refusal_is_an_error_with_data() -> None:
    asyncio.run(refusal())


def test_composite_results_arrive_typed() -> None:
    asyncio.run(composite_results())


def test_race_ends_exactly_at_the_limit() -> None:
    asyncio.run(race())


if __name__ == "__main__":
    harness.run(__name__)
