//! The one ordered chain of SQL files that makes the extension. pgrx orders by `requires` alone.

use pgrx::extension_sql_file;

extension_sql_file!("../sql/schema.sql", bootstrap);
extension_sql_file!("../sql/token.sql", name = "token");
extension_sql_file!("../sql/change.sql", name = "change", requires = ["token"]);
extension_sql_file!("../sql/account.sql", name = "account", requires = ["change"]);
extension_sql_file!("../sql/account_life.sql", name = "account_life", requires = ["account"]);
extension_sql_file!("../sql/account_tree.sql", name = "account_tree", requires = ["account_life"]);
extension_sql_file!("../sql/account_read.sql", name = "account_read", requires = ["account_tree"]);
extension_sql_file!("../sql/window.sql", name = "window", requires = ["account_read"]);
extension_sql_file!("../sql/budget.sql", name = "budget", requires = ["window"]);
extension_sql_file!("../sql/remaining.sql", name = "remaining", requires = ["budget"]);
extension_sql_file!("../sql/budget_read.sql", name = "budget_read", requires = ["remaining"]);
extension_sql_file!("../sql/grant.sql", name = "grant", requires = ["budget_read"]);
extension_sql_file!("../sql/alert.sql", name = "alert", requires = ["grant"]);
extension_sql_file!("../sql/model.sql", name = "model", requires = ["alert"]);
extension_sql_file!("../sql/access.sql", name = "access", requires = ["model"]);
extension_sql_file!("../sql/quota.sql", name = "quota", requires = ["access"]);
extension_sql_file!("../sql/price.sql", name = "price", requires = ["quota"]);
extension_sql_file!("../sql/price_book.sql", name = "price_book", requires = ["price"]);
extension_sql_file!("../sql/price_import.sql", name = "price_import", requires = ["price_book"]);
extension_sql_file!("../sql/rate.sql", name = "rate", requires = ["price_import"]);
extension_sql_file!("../sql/cost.sql", name = "cost", requires = ["rate"]);
extension_sql_file!("../sql/entry.sql", name = "entry", requires = ["cost"]);
extension_sql_file!("../sql/reservation.sql", name = "reservation", requires = ["entry"]);
extension_sql_file!("../sql/charge.sql", name = "charge", requires = ["reservation"]);
extension_sql_file!("../sql/batch.sql", name = "batch", requires = ["charge"]);
extension_sql_file!("../sql/adjust.sql", name = "adjust", requires = ["batch"]);
extension_sql_file!("../sql/budget_change.sql", name = "budget_change", requires = ["adjust"]);
extension_sql_file!("../sql/unpriced.sql", name = "unpriced", requires = ["budget_change"]);
extension_sql_file!("../sql/guard.sql", name = "guard", requires = ["unpriced"]);
extension_sql_file!("../sql/partition.sql", name = "partition", requires = ["guard"]);
extension_sql_file!("../sql/retention.sql", name = "retention", requires = ["partition"]);
extension_sql_file!("../sql/upkeep.sql", name = "upkeep", requires = ["retention"]);
extension_sql_file!("../sql/verify.sql", name = "verify", requires = ["upkeep"]);
extension_sql_file!("../sql/chargeback.sql", name = "chargeback", requires = ["verify"]);
extension_sql_file!("../sql/privilege.sql", name = "privilege", requires = ["chargeback"], finalize);
