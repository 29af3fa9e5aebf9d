SELECT account, meter, amount, spent, held, remaining, resets_at FROM tb_remaining('acme/search/bot-7');

SELECT tb_release(reservation_id, 'the user closed the window') FROM tokbudget.reservation WHERE state = 'held';

SELECT account, meter, amount, spent, held, remaining, resets_at FROM tb_remaining('acme/search/bot-7');
