//! A line of the text form, read from left to right: words, numbers, addresses, strings, and errors that name the place.
//! Takes text, knows nothing of instructions.

use crate::text::is_name_byte;
use crate::types::GuestAddr;
use std::fmt;

/// Why a text is no IR.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

/// The lines that hold something.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().enumerate().filter_map(|(i, s)| {
        let code = s.split_once(';').map_or(s, |p| p.0).trim_end();
        let mut line = Line { number: i + 1, text: code, at: 0 };
        line.space();
        (line.at < code.len()).then_some(line)
    })
}

/// A line being read from left to right.
#[derive(Clone)]
pub(crate) struct Line<'a> {
    number: usize,
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    pub(crate) fn position(&self) -> (usize, usize) {
        (self.number, self.at + 1)
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError { line: self.number, column: self.at + 1, message: message.into() }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(crate) fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.error("unexpected text at the end of the line"))
        }
    }

    /// Passes over the next `n` bytes.
    pub(crate) fn skip(&mut self, n: usize) {
        self.at += n;
    }

    /// Takes `token` if it comes next.
    pub(crate) fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, token: &str) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.error(format!("expected `{token}`"))) }
    }

    pub(crate) fn peek_word(&self) -> &'a str {
        let rest = self.rest().trim_start();
        let n = rest.bytes().position(|c| !is_name_byte(c)).unwrap_or(rest.len());
        &rest[..n]
    }

    pub(crate) fn word(&mut self) -> Result<&'a str> {
        self.space();
        let w = self.peek_word();
        if w.is_empty() {
            return Err(self.error("a name expected"));
        }
        self.at += w.len();
        Ok(w)
    }

    /// A word, looked up; `what` names the kind of thing for the message.
    pub(crate) fn lookup<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.space();
        let start = self.clone();
        let w = self.word()?;
        find(w).ok_or_else(|| start.error(format!("`{w}` is no {what}")))
    }

    pub(crate) fn number(&mut self) -> Result<u128> {
        self.space();
        let start = self.clone();
        let w = self.word()?;
        let n = match w.strip_prefix("0x") {
            Some(hex) => u128::from_str_radix(hex, 16),
            None => w.parse(),
        };
        n.map_err(|_| start.error(format!("`{w}` is no number")))
    }

    pub(crate) fn narrow<T: TryFrom<u128>>(&mut self) -> Result<T> {
        self.space();
        let start = self.clone();
        let n = self.number()?;
        T::try_from(n).map_err(|_| start.error(format!("{n:#x} is too large")))
    }

    pub(crate) fn address(&mut self) -> Result<GuestAddr> {
        Ok(GuestAddr(self.narrow()?))
    }

    pub(crate) fn at_address(&mut self) -> Result<GuestAddr> {
        self.expect("@")?;
        self.address()
    }

    /// A string as `{:?}` prints it.
    pub(crate) fn quoted(&mut self) -> Result<String> {
        let start = self.clone();
        self.expect("\"")?;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|e| e.1) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some('0') => out.push('\0'),
                    Some('u') => {
                        let hex: String = chars
                            .by_ref()
                            .map(|e| e.1)
                            .skip_while(|c| *c == '{')
                            .take_while(|c| *c != '}')
                            .collect();
                        let c = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                        out.push(c.ok_or_else(|| start.error("bad escape in the name"))?);
                    }
                    Some(c) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(start.error("the name has no closing quote"))
    }
}
