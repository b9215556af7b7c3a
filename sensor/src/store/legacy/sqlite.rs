//! Reading SQLite files without SQLite, which is C: tables, row by row, of a
//! file that nobody has to trust (<https://www.sqlite.org/fileformat2.html>).
//!
//! One page is in memory at a time, no page is read more often than there are
//! pages, and what is damaged is passed over and named.

use std::io;

use super::{
    overlay::Overlay,
    record::{self, Encoding, Value, varint},
    source::{Source, u16_at, u32_at},
};

/// How every SQLite file begins.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The table of all tables is on the first page.
const SCHEMA: u32 = 1;
/// Bytes on the first page before its tree begins.
const HEADER: usize = 100;
/// Levels of a tree. Four children a page, the least, would be 2^40 pages.
const MAX_DEPTH: usize = 20;
/// Bytes of a row that are looked at.
const MAX_PAYLOAD: usize = 1 << 20;
/// Columns of a row of the table of tables: name, root page and text.
const SCHEMA_COLUMNS: usize = 5;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// It is no SQLite file.
    #[error("it is no SQLite file")]
    NotSqlite,
    /// It is one, but makes no sense.
    #[error("{0}")]
    Damaged(&'static str),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for SqliteError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("the file is cut off"),
            _ => Self::Io(error),
        }
    }
}

/// A file to be read, and what may lie beside it.
pub struct Files<B> {
    /// The database.
    pub main: B,
    /// `-wal`: transactions that are not in the database yet.
    pub wal: Option<B>,
    /// `-journal`: what to take back of a transaction that did not end.
    pub journal: Option<B>,
}

/// A database, open for reading.
pub struct Sqlite<B> {
    main: B,
    overlays: Vec<Overlay<B>>,
    page_size: usize,
    /// Without what is reserved at the end of each page.
    usable: usize,
    /// Page reads that one walk may take.
    budget: u64,
    encoding: Encoding,
}

/// What the table of tables says of one.
#[derive(Debug)]
pub struct TableText {
    /// Its first page.
    pub root: u32,
    /// `CREATE TABLE …`, as somebody wrote it.
    pub sql: String,
}

/// A row: its number, and the values in the order of the columns.
pub type Row = (i64, Vec<Value>);

impl<B: Source> Sqlite<B> {
    /// Looks at headers, and finds the pages that are in a log.
    ///
    /// # Errors
    ///
    /// Where it is no SQLite file, or one of a kind that does not exist.
    pub fn open(files: Files<B>) -> Result<Self, SqliteError> {
        let mut header = [0_u8; HEADER];
        files.main.read_at(0, &mut header).map_err(no_sqlite)?;
        if header[..MAGIC.len()] != MAGIC[..] {
            return Err(SqliteError::NotSqlite);
        }
        let page_size = match u16_at(&header, 16) {
            // 65536 has no place in two bytes.
            Some(1) => 65_536,
            size => usize::from(size.unwrap_or(0)),
        };
        let usable = page_size.saturating_sub(usize::from(header[20]));
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
            return Err(SqliteError::Damaged("the page size makes no sense"));
        }
        let mut overlays = Vec::new();
        if let Some(wal) = files.wal {
            overlays.push(Overlay::of_wal(wal, page_size)?);
        }
        if let Some(journal) = files.journal {
            overlays.push(Overlay::of_journal(journal, page_size)?);
        }
        let more: usize = overlays.iter().map(Overlay::len).sum();
        let mut this = Self {
            budget: files.main.size()? / page_size as u64 + more as u64,
            main: files.main,
            overlays,
            page_size,
            usable,
            encoding: Encoding::Utf8,
        };
        this.encoding = match u32_at(&this.page(SCHEMA)?, 56) {
            Some(0 | 1) => Encoding::Utf8,
            Some(2) => Encoding::Utf16Le,
            Some(3) => Encoding::Utf16Be,
            _ => return Err(SqliteError::Damaged("the encoding makes no sense")),
        };
        Ok(this)
    }

    /// The table of this name, in whatever case.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub fn table(&self, name: &str) -> Result<Option<TableText>, SqliteError> {
        let mut found = None;
        let damage = self.rows(SCHEMA, |(_, mut values)| {
            values.resize(SCHEMA_COLUMNS, Value::Null);
            if let [
                Value::Text(kind),
                Value::Text(called),
                _,
                root,
                Value::Text(sql),
            ] = &values[..]
                && kind == "table"
                && called.eq_ignore_ascii_case(name)
                && let Value::Integer(root) = root
                && let Ok(root) = u32::try_from(*root)
            {
                found = Some(TableText {
                    root,
                    sql: sql.clone(),
                });
            }
        })?;
        match (found, damage) {
            (None, Some(reason)) => Err(SqliteError::Damaged(reason)),
            (found, _) => Ok(found),
        }
    }

    /// Shows every row of the table at `root`, as far as it can be read. What
    /// could not is named.
    ///
    /// # Errors
    ///
    /// Where reading fails.
    pub fn rows(
        &self,
        root: u32,
        mut each: impl FnMut(Row),
    ) -> Result<Option<&'static str>, SqliteError> {
        let mut damage = None;
        let mut budget = self.budget;
        let mut waiting = vec![(root, 0)];
        while let Some((number, depth)) = waiting.pop() {
            let tree = match self.spend(&mut budget).and_then(|()| self.page(number)) {
                Ok(page) => Tree::new(page, number, self.usable),
                Err(SqliteError::Damaged(reason)) => Err(reason),
                Err(error) => return Err(error),
            };
            let tree = match tree {
                Ok(tree) if depth <= MAX_DEPTH => tree,
                Ok(_) => {
                    damage.get_or_insert("a tree is too deep");
                    continue;
                }
                Err(reason) => {
                    damage.get_or_insert(reason);
                    continue;
                }
            };
            if let Some(last) = tree.last_child {
                // The last one waits longest: rows come in their order.
                waiting.push((last, depth + 1));
                let children = (0..tree.cells).rev().map(|cell| tree.child(cell));
                for child in children {
                    match child {
                        Some(child) => waiting.push((child, depth + 1)),
                        None => {
                            damage.get_or_insert("a page points nowhere");
                        }
                    }
                }
                continue;
            }
            for cell in 0..tree.cells {
                match self.row(&tree, cell, &mut budget) {
                    Ok(row) => each(row),
                    Err(SqliteError::Damaged(reason)) => {
                        damage.get_or_insert(reason);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(damage)
    }

    fn row(&self, tree: &Tree, cell: usize, budget: &mut u64) -> Result<Row, SqliteError> {
        const DAMAGED: SqliteError = SqliteError::Damaged("a row makes no sense");
        let cell = tree.cell(cell).ok_or(DAMAGED)?;
        let (size, length) = varint(cell).ok_or(DAMAGED)?;
        let cell = &cell[length..];
        let (number, length) = varint(cell).ok_or(DAMAGED)?;
        let cell = &cell[length..];
        let local = self.local(size);
        let mut payload = cell.get(..local).ok_or(DAMAGED)?.to_vec();
        let wanted = usize::try_from(size).map_or(MAX_PAYLOAD, |size| size.min(MAX_PAYLOAD));
        if payload.len() < wanted {
            let mut next = u32_at(cell, local).ok_or(DAMAGED)?;
            while payload.len() < wanted {
                self.spend(budget)?;
                let page = self.page(next)?;
                next = u32_at(&page, 0).ok_or(DAMAGED)?;
                let length = (wanted - payload.len()).min(self.usable - 4);
                payload.extend_from_slice(&page[4..4 + length]);
            }
        }
        let values = record::values(&payload, self.encoding).ok_or(DAMAGED)?;
        Ok((number.cast_signed(), values))
    }

    /// How much of a payload of `size` bytes is in the cell itself.
    fn local(&self, size: u64) -> usize {
        let usable = self.usable as u64;
        let most = usable - 35;
        let least = (usable - 12) * 32 / 255 - 23;
        let local = match size {
            size if size <= most => size,
            size => match least + (size - least) % (usable - 4) {
                fits if fits <= most => fits,
                _ => least,
            },
        };
        usize::try_from(local).unwrap_or(usize::MAX)
    }

    fn spend(&self, budget: &mut u64) -> Result<(), SqliteError> {
        let left = budget.checked_sub(1);
        *budget = left.ok_or(SqliteError::Damaged("its pages form a loop"))?;
        Ok(())
    }

    fn page(&self, number: u32) -> Result<Vec<u8>, SqliteError> {
        let before = number.checked_sub(1);
        let before = before.ok_or(SqliteError::Damaged("a page points nowhere"))?;
        let mut page = vec![0_u8; self.page_size];
        for overlay in &self.overlays {
            if overlay.read(number, &mut page)? {
                return Ok(page);
            }
        }
        let at = u64::from(before) * self.page_size as u64;
        self.main.read_at(at, &mut page)?;
        Ok(page)
    }
}

/// A file that is shorter than the header is no SQLite file.
fn no_sqlite(error: io::Error) -> SqliteError {
    match SqliteError::from(error) {
        SqliteError::Damaged(_) => SqliteError::NotSqlite,
        other => other,
    }
}

/// A page of a table's tree.
struct Tree {
    page: Vec<u8>,
    /// Where the places of the cells are listed.
    list: usize,
    cells: usize,
    /// Of an interior page, the page of the greatest rows.
    last_child: Option<u32>,
}

impl Tree {
    fn new(mut page: Vec<u8>, number: u32, usable: usize) -> Result<Self, &'static str> {
        page.truncate(usable);
        let start = if number == SCHEMA { HEADER } else { 0 };
        let (last_child, header) = match page.get(start) {
            Some(0x05) => (u32_at(&page, start + 8), 12),
            Some(0x0d) => (None, 8),
            Some(0x02 | 0x0a) => return Err("a table without row numbers is not supported"),
            _ => return Err("a page is of an unknown kind"),
        };
        let cells = u16_at(&page, start + 3).map_or(0, usize::from);
        let list = start + header;
        if list + cells * 2 > page.len() {
            return Err("a page has more rows than it has room for");
        }
        Ok(Self {
            page,
            list,
            cells,
            last_child,
        })
    }

    fn cell(&self, index: usize) -> Option<&[u8]> {
        let at = u16_at(&self.page, self.list + index * 2)?;
        self.page.get(usize::from(at)..)
    }

    fn child(&self, index: usize) -> Option<u32> {
        u32_at(self.cell(index)?, 0)
    }
}
