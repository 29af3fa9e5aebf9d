-- One level of the tree after the other: what an account needs of its parent is there by then.
UPDATE generator.account SET
    account_id = own.id,
    path = parent.path || '/' || account.name,
    account_ids = parent.account_ids || own.id,
    spent_cost_center = COALESCE(account.cost_center, parent.spent_cost_center),
    team = CASE WHEN account.level = 2 THEN account.in_level ELSE parent.team END
FROM generator.account AS parent, generator.account AS self
CROSS JOIN LATERAL (SELECT ($since_us << 11) + self.tenant * 16777216 + self.number) AS own (id)
WHERE parent.tenant = account.tenant AND parent.number = account.parent AND self.tenant = account.tenant AND self.number = account.number
    AND account.level = $level;
