//! What the CSV shapes have in common: columns found by their names, in any order.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Amount, Format, ReadError, instant};

/// The names of the columns, without regard to case, spaces and underscores.
pub struct Table {
    names: Vec<String>,
    rows: csv::StringRecordsIntoIter<std::io::Cursor<Vec<u8>>>,
}

/// A row that knows where it stands.
pub struct Record<'a> {
    pub at: String,
    names: &'a [String],
    cells: StringRecord,
}

fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && *c != '_').flat_map(char::to_lowercase).collect()
}

/// Comma, semicolon or tab: whichever the first line has most of.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| header.bytes().filter(|byte| *byte == delimiter).count();
    // The first of equals would be the last here.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

impl Table {
    pub fn read(text: &str) -> Result<Table, ReadError> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter(text))
            .trim(Trim::All)
            .from_reader(std::io::Cursor::new(text.as_bytes().to_vec()));
        let names: Vec<String> = reader
            .headers()
            .map_err(|error| ReadError::new("line 1", error.to_string()))?
            .iter()
            .map(plain_name)
            .collect();
        if let Some((index, name)) = names
            .iter()
            .enumerate()
            .find(|(index, name)| !name.is_empty() && names.iter().take(*index).any(|earlier| earlier == *name))
        {
            return Err(ReadError::new(format!("line 1, column {}", index + 1), format!("{name} is there twice")));
        }
        Ok(Table { names, rows: reader.into_records() })
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(&plain_name(name))
    }

    /// The next row.
    pub fn next(&mut self) -> Option<Result<Record<'_>, ReadError>> {
        Some(match self.rows.next()? {
            Ok(cells) => {
                let line = cells.position().map_or(0, csv::Position::line);
                Ok(Record { at: format!("line {line}"), names: &self.names, cells })
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let why = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} columns, where the first line has {expected_len}")
                    }
                    _ => error.to_string(),
                };
                Err(ReadError::new(format!("line {line}"), why))
            }
        })
    }
}

impl Record<'_> {
    pub fn refuse(&self, column: &str, why: impl Into<String>) -> ReadError {
        ReadError::new(format!("{}, column {column}", self.at), why)
    }

    /// A cell that is not empty.
    pub fn text(&self, column: &str) -> Option<&str> {
        let name = plain_name(column);
        let index = self.names.iter().position(|known| *known == name)?;
        self.cells.get(index).filter(|cell| !cell.is_empty() && !cell.eq_ignore_ascii_case("null"))
    }

    pub fn owned(&self, column: &str) -> Option<String> {
        self.text(column).map(str::to_string)
    }

    /// The first of the columns that has something.
    pub fn first(&self, columns: &[&str]) -> Option<&str> {
        columns.iter().find_map(|column| self.text(column))
    }

    pub fn amount(&self, column: &str) -> Result<Option<Amount>, ReadError> {
        let amount = self.text(column).map(Amount::parse).transpose();
        amount.map_err(|why| self.refuse(column, why))
    }

    pub fn count(&self, column: &str) -> Result<Option<i64>, ReadError> {
        let count = self.amount(column)?.map(|amount| amount.count()).transpose();
        count.map_err(|why| self.refuse(column, why))
    }

    pub fn instant(&self, column: &str) -> Result<Option<i64>, ReadError> {
        let read = |text: &str| {
            instant::parse(text)
                .ok_or_else(|| self.refuse(column, "not a day or an instant from 1970 to 9999, such as 2026-01-31"))
        };
        self.text(column).map(read).transpose()
    }

    /// A currency, in capitals.
    pub fn currency(&self, column: &str) -> Result<Option<String>, ReadError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let currency = text.to_ascii_uppercase();
        let is_code = (3..=16).contains(&currency.len())
            && currency.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if is_code { Ok(Some(currency)) } else { Err(self.refuse(column, "not a currency")) }
    }
}

/// The shape, by the names of the columns.
pub fn detect(text: &str) -> Result<Format, ReadError> {
    let table = Table::read(text)?;
    if table.has("BilledCost") && table.has("ChargePeriodStart") {
        Ok(Format::Focus)
    } else if table.has("date") || table.has("starts_at") {
        Ok(Format::Csv)
    } else {
        Err(ReadError::new(
            "line 1",
            "no column date or starts_at, and none of FOCUS's BilledCost and ChargePeriodStart",
        ))
    }
}
