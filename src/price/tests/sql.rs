//! Enough of SQL to read the rows of `INSERT INTO … (columns) VALUES (…), …;`.

use std::collections::BTreeMap;

/// A row by column; none for NULL.
pub(super) type Row = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A keyword, a name or a number.
    Word(String),
    Text(String),
    Symbol(char),
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if first.is_whitespace() => first.len_utf8(),
            _ if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '\'' => {
                let (text, length) = quoted(rest);
                tokens.push(Token::Text(text));
                length
            }
            '(' | ')' | ',' | ';' => {
                tokens.push(Token::Symbol(first));
                1
            }
            _ => {
                let is_end = |char: char| char.is_whitespace() || "(),;'".contains(char);
                let length = rest.find(is_end).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// The text in the quotes at the beginning, in which two quotes are one, and the length with the quotes.
fn quoted(sql: &str) -> (String, usize) {
    let mut text = String::new();
    let mut chars = sql.char_indices().skip(1).peekable();
    while let Some((index, char)) = chars.next() {
        if char != '\'' {
            text.push(char);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return (text, index + 1);
        }
    }
    panic!("a quote without an end: {sql:.60}")
}

/// The values in the parentheses at the beginning, and what comes after.
fn list(tokens: &[Token]) -> (Vec<&Token>, &[Token]) {
    let [Token::Symbol('('), inner @ ..] = tokens else { panic!("no list: {:?}", tokens.first()) };
    let end = inner.iter().position(|token| *token == Token::Symbol(')')).expect("the end of a list");
    let (values, rest) = inner.split_at(end);
    let values = values.chunks(2).map(|pair| match pair {
        [value] | [value, Token::Symbol(',')] if !matches!(value, Token::Symbol(_)) => value,
        _ => panic!("not a plain value: {pair:?}"),
    });
    (values.collect(), &rest[1..])
}

/// The rows of every statement that fills the table.
pub(super) fn inserted(sql: &str, table: &str) -> Vec<Row> {
    let word = |token: &Token, word: &str| matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word));
    let mut rows = Vec::new();
    for statement in tokens(sql).split(|token| *token == Token::Symbol(';')) {
        let [insert, into, Token::Word(name), rest @ ..] = statement else { continue };
        if !(word(insert, "INSERT") && word(into, "INTO") && name == table) {
            continue;
        }
        let (columns, rest) = list(rest);
        let [values, rest @ ..] = rest else { panic!("no values") };
        assert!(word(values, "VALUES"), "{values:?}");
        let mut rest = [&[Token::Symbol(',')], rest].concat();
        while let [Token::Symbol(','), row @ ..] = rest.as_slice() {
            let (values, after) = list(row);
            assert_eq!(values.len(), columns.len(), "{values:?}");
            let cell = |(column, value): (&&Token, &Token)| match (column, value) {
                (Token::Word(column), Token::Text(text)) => (column.clone(), Some(text.clone())),
                (Token::Word(column), null) if word(null, "NULL") => (column.clone(), None),
                (Token::Word(column), Token::Word(number)) => (column.clone(), Some(number.clone())),
                other => panic!("{other:?}"),
            };
            rows.push(columns.iter().zip(values).map(cell).collect());
            rest = after.to_vec();
        }
        assert_eq!(rest, [], "after the rows");
    }
    rows
}

#[test]
fn values_are_split_with_respect_to_quotes() {
    let sql = "-- INSERT INTO t (a) VALUES (0);\nINSERT INTO u (a) VALUES ('no');\nINSERT INTO t (a, b, c) VALUES\n    \
               ('it''s; (1, 2)', NULL, -1.5), -- one\n    ('', 'NULL', 7);\ninsert into t (b)\nvalues ('é, --');";
    let row = |cells: &[(&str, Option<&str>)]| -> Row {
        cells.iter().map(|(column, value)| ((*column).to_owned(), value.map(str::to_owned))).collect()
    };
    let rows = [
        row(&[("a", Some("it's; (1, 2)")), ("b", None), ("c", Some("-1.5"))]),
        row(&[("a", Some("")), ("b", Some("NULL")), ("c", Some("7"))]),
        row(&[("b", Some("é, --"))]),
    ];
    assert_eq!(inserted(sql, "t"), rows);
}
