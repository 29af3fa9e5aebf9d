-- Charges: booked in one step, refused only where that is asked for.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
-- 2 in and 10 out per million tokens: 1000 in and 300 out cost 0.002 + 0.003 = 0.005.
SELECT tb_set_price('cha-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_meter_price('cha_pages', 0.01, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('cha/bot', cost_center => 'C7') > 0, tb_create_account('cha/project') > 0, tb_create_budget('cha', 'cost', 0.01) > 0, tb_create_budget('cha/bot', 'tokens', 5000) > 0, tb_create_budget('cha/project', 'requests', 1) > 0;
SELECT entry IS NOT NULL AS booked, cost, currency, tokens, overrun, released, remaining, internal_cost, flags
FROM tb_charge('cha/bot', 'cha-model', '{"prompt_tokens": 1000, "completion_tokens": 300, "total_tokens": 1300}', attributes => '{"end_user": "eve", "x": 1}');
SELECT kind, reservation_id, requests, input_tokens, output_tokens, cost, cost_center, request_model, end_user, labels, overrun, late, reserved_at = recorded_at AS at_once FROM tokbudget.entry WHERE end_user = 'eve';
SELECT account, meter, spent, held FROM balances('cha');
-- With the project: its one request is used up. Nothing of a priced meter costs nothing.
SELECT cost, tokens, overrun, remaining FROM tb_charge('cha/bot', NULL, '{}', meters => '{"cha_pages": 0}', also => ARRAY['cha/project']);
-- Enforced: 0.005 are left; 500 in and 401 out would cost 0.00501, 400 cost 0.005.
SELECT code, message, detail::jsonb ->> 'remaining' AS remaining, detail::jsonb ->> 'requested' AS requested
FROM refused($$SELECT tb_charge('cha/bot', 'cha-model', '{"input_tokens": 500, "output_tokens": 401}', enforce => true)$$);
SELECT code_of($$SELECT tb_charge('cha/bot', NULL, '{}', meters => '{"x": 1}', also => ARRAY['cha/project'], enforce => true)$$) AS no_request_left;
SELECT account, meter, spent, held FROM balances('cha');
SELECT cost, overrun, remaining FROM tb_charge('cha/bot', 'cha-model', '{"input_tokens": 500, "output_tokens": 400}', enforce => true);
-- Not enforced it has happened: 0.01 more, and 0.01 beyond the limit.
SELECT cost, overrun, remaining FROM tb_charge('cha/bot', NULL, '{}', meters => '{"cha_pages": 1}');
SELECT code_of($$SELECT tb_reserve('cha/bot', meters => '{"cha_pages": 1}')$$) AS blocked;
SELECT account, meter, spent, held FROM balances('cha');

-- Frozen, closed: booked and flagged, or refused.
SELECT tb_create_account('cha2/bot') > 0, tb_create_budget('cha2', 'units', 10) > 0;
SELECT tb_freeze('cha2', 'review');
SELECT overrun, remaining, flags FROM tb_charge('cha2/bot', NULL, '{}', meters => '{"units": 1}');
SELECT code_of($$SELECT tb_charge('cha2/bot', NULL, '{}', meters => '{"units": 1}', enforce => true)$$) AS frozen;
SELECT tb_thaw('cha2', 'reviewed');
SELECT tb_close_account('cha2/bot', 'gone');
SELECT overrun, remaining, flags FROM tb_charge('cha2/bot', NULL, '{}', meters => '{"units": 1}');
SELECT code_of($$SELECT tb_charge('cha2/bot', NULL, '{}', meters => '{"units": 1}', enforce => true)$$) AS closed;
-- It takes what is held into account, and what has expired not.
SELECT reservation IS NOT NULL FROM tb_reserve('cha2', meters => '{"units": 8}', ttl => '1 minute');
SELECT code_of($$SELECT tb_charge('cha2', NULL, '{}', meters => '{"units": 1}', enforce => true)$$) AS held;
SET tokbudget.clock = '2026-03-10 10:01:00+00';
SELECT overrun, remaining FROM tb_charge('cha2', NULL, '{}', meters => '{"units": 8}', enforce => true);
SELECT spent, held FROM balances('cha2');

-- Keys: once; the same again is the same answer, another payload is refused, a refusal leaves the key free.
SELECT tb_create_account('cha3') > 0 AS made, tb_create_budget('cha3', 'units', 10) AS cha3 \gset
SELECT entry AS first FROM tb_charge('cha3', NULL, '{}', meters => '{"units": 4}', idempotency_key => 'k') \gset
SELECT entry = :'first' AS same, remaining FROM tb_charge('cha3', NULL, '{}', meters => '{"units": 4}', idempotency_key => 'k');
SELECT code_of($$SELECT tb_charge('cha3', NULL, '{}', meters => '{"units": 5}', idempotency_key => 'k')$$) AS other_units, code_of($$SELECT tb_charge('cha3', NULL, '{}', meters => '{"units": 4}', idempotency_key => 'k', enforce => true)$$) AS other_way,
       code_of($$SELECT tb_charge('cha3', NULL, '{}', meters => '{"units": 4}', idempotency_key => 'k', attributes => '{"task": "t"}')$$) AS other_task;
SELECT code_of($$SELECT tb_charge('cha3', NULL, '{}', meters => '{"units": 7}', idempotency_key => 'big', enforce => true)$$) AS too_much;
SELECT tb_change_budget(:cha3, amount => 11);
SELECT remaining FROM tb_charge('cha3', NULL, '{}', meters => '{"units": 7}', idempotency_key => 'big', enforce => true);
SELECT spent FROM balances('cha3');
-- What rolls back has charged nothing, and its key is free.
BEGIN;
SELECT remaining FROM tb_charge('cha3', NULL, '{}', meters => '{"units": 1}', idempotency_key => 'undone');
ROLLBACK;
SELECT spent FROM balances('cha3');
SELECT remaining FROM tb_charge('cha3', NULL, '{}', meters => '{"units": 2}', idempotency_key => 'undone');

-- Arguments: nothing of these is booked.
SELECT count(*) AS entries FROM tokbudget.entry \gset
SELECT arguments, code_of('SELECT tb_charge(' || arguments || ')')
FROM unnest(ARRAY['NULL, NULL, ''{}''', ''''', NULL, ''{}''', '''cha3/nobody'', NULL, ''{}''', '''nobody'', NULL, ''{}''', '''cha3'', NULL, NULL', '''cha3'', '''', ''{}''', '''cha3'', ''no-such-model'', ''{"input_tokens": 1, "output_tokens": 1}''',
    '''cha3'', ''cha-model'', ''{}''', '''cha3'', ''cha-model'', ''[]''', '''cha3'', ''cha-model'', ''null''', '''cha3'', ''cha-model'', ''1''', '''cha3'', ''cha-model'', ''{"input_tokens": -1, "output_tokens": 1}''',
    '''cha3'', ''cha-model'', ''{"input_tokens": 1.5, "output_tokens": 1}''', '''cha3'', ''cha-model'', ''{"input_tokens": "NaN", "output_tokens": 1}''', '''cha3'', ''cha-model'', ''{"input_tokens": 9223372036854775808, "output_tokens": 1}''',
    '''cha3'', ''cha-model'', ''{"input_tokens": 9223372036854775807, "output_tokens": 1}''', '''cha3'', ''cha-model'', ''{"input_tokens": 1e400, "output_tokens": 1}''', '''cha3'', NULL, ''{}'', meters => ''{"units": -1}''',
    '''cha3'', NULL, ''{}'', meters => ''{"units": 1.5}''', '''cha3'', NULL, ''{}'', meters => ''{"units": null}''', '''cha3'', NULL, ''{}'', meters => ''{"units": 9223372036854775808}''', '''cha3'', NULL, ''{}'', meters => ''{"Units": 1}''',
    '''cha3'', NULL, ''{}'', meters => ''{"cost": 1}''', '''cha3'', NULL, ''{}'', meters => ''{"tokens": 1}''', '''cha3'', NULL, ''{}'', meters => ''[]''', '''cha3'', NULL, ''{}'', also => NULL', '''cha3'', NULL, ''{}'', also => ARRAY[NULL]',
    '''cha3'', NULL, ''{}'', also => ARRAY[''cha'']', '''cha3'', NULL, ''{}'', also => ARRAY[''cha3/nobody'']', '''cha3'', NULL, ''{}'', attributes => ''[]''', '''cha3'', NULL, ''{}'', usage_source => NULL',
    '''cha3'', NULL, ''{}'', usage_source => ''guess''', '''cha3'', NULL, ''{}'', idempotency_key => ''''', '''cha3'', NULL, ''{}'', idempotency_key => repeat(''k'', 256)', '''cha3'', NULL, ''{}'', enforce => NULL']) AS arguments;
SELECT count(*) - :entries AS more_entries FROM tokbudget.entry;
-- No meters or attributes at all are none.
SELECT overrun FROM tb_charge('cha3', NULL, '{}', meters => NULL, attributes => NULL);
-- The most there is, once: the second leaves the range.
SELECT tb_create_account('cha4') > 0, tb_create_budget('cha4', 'units', 1, hard => false) > 0;
SELECT overrun, remaining FROM tb_charge('cha4', NULL, '{}', meters => '{"units": 9223372036854775807}');
SELECT code_of($$SELECT tb_charge('cha4', NULL, '{}', meters => '{"units": 1}', idempotency_key => 'beyond')$$) AS beyond;
SELECT spent FROM balances('cha4');
RESET tokbudget.clock;
SELECT * FROM tb_verify();
