//! The store on disk. Only this file knows RocksDB.

mod hot;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily, ColumnFamilyDescriptor,
    CompactOptions, DB, DBCompressionType, DBRawIterator, DBRecoveryMode, DataBlockIndexType,
    ErrorKind, LogLevel, Options, ReadOptions, ReadTier, WriteBatch, WriteBufferManager,
    WriteOptions, properties,
};

use self::hot::HotRows;
use super::{
    Batch, Cached, Change, Column, Cursor, Flush, OpenError, OwnedRow, Read, Row, Store,
    StoreError, wal,
};

/// The directory of the database's files within the data directory.
const DIRECTORY: &str = "store";

/// Bits a key in the filters: one lookup in a hundred for an absent key reads a block in vain.
const FILTER_BITS: f64 = 10.0;

/// Rows are read in blocks of this many bytes: half the index of RocksDB's default of 4 KiB.
const BLOCK_SIZE: usize = 8 << 10;

/// Sizes that bound the store's memory and disk.
#[derive(Clone, Copy, Debug)]
pub struct RocksOptions {
    /// Bytes kept in memory of what is read: three quarters in blocks, a quarter in single rows.
    pub block_cache: usize,
    /// Bytes of writes held in memory before they are sorted into files, over all columns.
    pub write_buffer: usize,
    /// Bytes of disk that writes leave free, so that the store can flush and compact.
    pub disk_reserve: u64,
}

/// RocksDB, a column family for each [`Column`].
pub struct RocksStore {
    db: DB,
    path: PathBuf,
    cache: Cache,
    hot: HotRows,
    disk_reserve: u64,
}

impl RocksStore {
    /// Opens the store in a data directory that this process holds the lock of; makes it if there
    /// is none.
    ///
    /// # Errors
    ///
    /// A damaged file, or another reason why it cannot be opened.
    pub fn open(data_dir: &Path, options: &RocksOptions) -> Result<Self, OpenError> {
        let path = Self::directory(data_dir);
        check_log(&path)?;
        let hot = HotRows::new(options.block_cache / 4);
        // Its size of an entry is left to RocksDB.
        let cache = Cache::new_hyper_clock_cache(options.block_cache / 4 * 3, 0);
        let families = Column::ALL.map(|column| {
            ColumnFamilyDescriptor::new(column.name(), column_options(column, &cache, options))
        });
        let db = DB::open_cf_descriptors(&database_options(options), &path, families).map_err(
            |error| match error.kind() {
                ErrorKind::Corruption => {
                    OpenError::Damaged { path: path.clone(), reason: error.into() }
                }
                _ => OpenError::Failed { path: path.clone(), reason: error.into() },
            },
        )?;
        sync_names(data_dir).map_err(|error| OpenError::Failed {
            path: path.clone(),
            reason: format!("its name cannot be brought to disk: {error}"),
        })?;
        Ok(Self { db, path, cache, hot, disk_reserve: options.disk_reserve })
    }

    /// Whether there is a store in a data directory.
    pub fn is_in(data_dir: &Path) -> bool {
        Self::directory(data_dir).is_dir()
    }

    /// Where the store's files lie in a data directory.
    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY)
    }

    /// Makes a copy of the store as it is now, for [`Self::open`] with another data directory that is
    /// there. Files that do not change any more are linked if that is on the same disk. Writes go on
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// It cannot be made; what there is of it may be removed.
    pub fn checkpoint(&self, data_dir: &Path) -> Result<(), StoreError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(read_error)?;
        let copied = checkpoint.create_checkpoint(Self::directory(data_dir));
        copied.map_err(|error| self.write_error(error))
    }

    /// Writes a column anew, so that nothing of rows that were deleted is left on disk.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn compact(&self, column: Column) -> Result<(), StoreError> {
        let family = self.family(column)?;
        self.db.flush_cf(family).map_err(|error| self.write_error(error))?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }

    fn family(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        let family = self.db.cf_handle(column.name());
        family.ok_or_else(|| StoreError::Failed(format!("column {} is missing", column.name())))
    }

    /// Looks a row up in RocksDB, no further than `tier`.
    fn find(&self, column: Column, key: &[u8], tier: ReadTier) -> Result<Cached, StoreError> {
        let mut options = ReadOptions::default();
        options.set_read_tier(tier);
        match self.db.get_cf_opt(self.family(column)?, key, &options) {
            Ok(value) => Ok(Cached::Known(value)),
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Cached::OnDisk),
            Err(error) => Err(read_error(error)),
        }
    }

    fn write_error(&self, error: rocksdb::Error) -> StoreError {
        let text = error.to_string();
        if text.contains("No space left") {
            return StoreError::Full { free: 0, reserve: self.disk_reserve };
        }
        read_error(error)
    }

    fn to_rocks(&self, batch: &Batch) -> Result<WriteBatch, StoreError> {
        let mut rocks = WriteBatch::with_capacity_bytes(batch.bytes() * 2);
        for column in Column::ALL {
            let family = self.family(column)?;
            let mut changes: Vec<_> = batch.changes(column).collect();
            // Neighbours in a memtable are found faster one after the other. The sort is stable:
            // changes of one row stay in their order.
            changes.sort_by_key(Change::key);
            for change in changes {
                match change {
                    Change::Put(key, value) => rocks.put_cf(family, key, value),
                    Change::Delete(key) if column.written_once() => {
                        rocks.single_delete_cf(family, key);
                    }
                    Change::Delete(key) => rocks.delete_cf(family, key),
                }
            }
        }
        Ok(rocks)
    }
}

fn check_log(path: &Path) -> Result<(), OpenError> {
    match wal::find_damage(path) {
        Ok(None) => Ok(()),
        Ok(Some(wal::Damage { log, at })) => {
            let reason = format!("its record at byte {at} is not as it was written");
            Err(OpenError::Damaged { path: log, reason })
        }
        Err(error) => {
            let reason = format!("its log cannot be read: {error}");
            Err(OpenError::Failed { path: path.to_owned(), reason })
        }
    }
}

/// Brings the names of a new store to disk: its files would be lost without their directory's.
fn sync_names(data_dir: &Path) -> io::Result<()> {
    let data_dir = data_dir.canonicalize()?;
    for directory in data_dir.ancestors().take(2) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn database_options(options: &RocksOptions) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    // A torn tail is what a crash leaves; a flipped byte before it is an error.
    database.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    database.set_track_and_verify_wals_in_manifest(true);
    // One limit for all column families, so that memory does not grow with their number.
    let buffers = WriteBufferManager::new_write_buffer_manager(options.write_buffer, false);
    database.set_write_buffer_manager(&buffers);
    database.set_max_total_wal_size(4 * options.write_buffer as u64);
    database.set_max_background_jobs(2);
    // Files are brought to disk as they are written, so that no flush waits for a whole one.
    database.set_bytes_per_sync(1 << 20);
    database.set_keep_log_file_num(4);
    database.set_log_level(LogLevel::Warn);
    database
}

fn column_options(column: Column, cache: &Cache, options: &RocksOptions) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(BLOCK_SIZE);
    table.set_format_version(6);
    // Filters and indexes stay in memory beside the cache, half a percent of the data: to look them
    // up in the cache cost every read two more searches.
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    if column.looked_up() {
        table.set_bloom_filter(FILTER_BITS, false);
    }
    let mut family = Options::default();
    family.set_block_based_table_factory(&table);
    // Small tables are searched in the processor's cache: with half the limit for each column an
    // overwrite took half as long again. The rows of an index are short, and many in a table: theirs
    // are an eighth as large, and eight go into one file.
    let (table, in_a_file) = if column.is_index() { (64, 8) } else { (8, 1) };
    family.set_write_buffer_size(options.write_buffer / table);
    family.set_min_write_buffer_number_to_merge(in_a_file);
    family.set_max_write_buffer_number(2 * in_a_file);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_bottommost_compression_type(DBCompressionType::Zstd);
    family.set_level_compaction_dynamic_level_bytes(true);
    family
}

fn read_error(error: rocksdb::Error) -> StoreError {
    match error.kind() {
        ErrorKind::Corruption => StoreError::Damaged(error.into()),
        _ => StoreError::Failed(error.into()),
    }
}

impl Store for RocksStore {
    /// Refuses before RocksDB itself meets a full disk: it does recover from that, but only looks
    /// every five seconds whether it can.
    fn check_room(&self) -> Result<(), StoreError> {
        let stat = rustix::fs::statvfs(&self.path)
            .map_err(|error| StoreError::Failed(format!("cannot see the free space: {error}")))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let reserve = self.disk_reserve;
        if free < reserve { Err(StoreError::Full { free, reserve }) } else { Ok(()) }
    }

    fn write(&self, batch: &Batch, flush: Flush) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(flush == Flush::Synced);
        let changes = self.to_rocks(batch)?;
        self.db.write_opt(changes, &options).map_err(|error| {
            self.hot.clear();
            self.write_error(error)
        })?;
        self.hot.written(batch);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush_wal(true).map_err(|error| self.write_error(error))
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(RocksSnapshot { store: self, snapshot: self.db.snapshot() })
    }

    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError> {
        if column == Column::Data {
            self.hot.get(key, || self.find(column, key, ReadTier::BlockCache))
        } else {
            self.find(column, key, ReadTier::BlockCache)
        }
    }

    fn sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        let sum = |property| {
            let of = |column| {
                let family = self.db.cf_handle(Column::name(column))?;
                self.db.property_int_value_cf(family, property).ok().flatten()
            };
            Column::ALL.into_iter().filter_map(of).sum()
        };
        vec![
            ("files", sum(properties::LIVE_SST_FILES_SIZE)),
            ("write_buffers", sum(properties::SIZE_ALL_MEM_TABLES)),
            ("table_readers", sum(properties::ESTIMATE_TABLE_READERS_MEM)),
            ("block_cache", self.cache.get_usage() as u64),
            ("row_cache", self.hot.bytes()),
        ]
    }
}

impl Read for RocksStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || self.find(column, key, ReadTier::All);
        match if column == Column::Data { self.hot.get(key, read) } else { read() }? {
            Cached::Known(value) => Ok(value),
            Cached::OnDisk => Err(StoreError::Failed("a read gave up before the disk".into())),
        }
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        match self.family(column) {
            Ok(family) => {
                let options = range(start, end);
                Box::new(RocksCursor::new(self.db.raw_iterator_cf_opt(family, options), start))
            }
            Err(error) => Box::new(Broken(error)),
        }
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        last(self.db.raw_iterator_cf(self.family(column)?))
    }
}

struct RocksSnapshot<'a> {
    store: &'a RocksStore,
    snapshot: rocksdb::Snapshot<'a>,
}

impl Read for RocksSnapshot<'_> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot.get_cf(self.store.family(column)?, key).map_err(read_error)
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        match self.store.family(column) {
            Ok(family) => {
                let options = range(start, end);
                Box::new(RocksCursor::new(
                    self.snapshot.raw_iterator_cf_opt(family, options),
                    start,
                ))
            }
            Err(error) => Box::new(Broken(error)),
        }
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        last(self.snapshot.raw_iterator_cf(self.store.family(column)?))
    }
}

fn range(start: &[u8], end: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    // RocksDB calls an upper bound below the lower one an error; here it is an empty range.
    options.set_iterate_lower_bound(start);
    options.set_iterate_upper_bound(end.max(start));
    options
}

fn last(mut rows: DBRawIterator<'_>) -> Result<Option<OwnedRow>, StoreError> {
    rows.seek_to_last();
    rows.status().map_err(read_error)?;
    Ok(rows.item().map(|(key, value)| (key.to_vec(), value.to_vec())))
}

struct RocksCursor<'a> {
    rows: DBRawIterator<'a>,
    /// Where to go before the next row is read, if not simply one on.
    goal: Option<Vec<u8>>,
}

impl<'a> RocksCursor<'a> {
    fn new(rows: DBRawIterator<'a>, start: &[u8]) -> Self {
        Self { rows, goal: Some(start.to_vec()) }
    }
}

impl Cursor for RocksCursor<'_> {
    fn next(&mut self) -> Result<Option<Row<'_>>, StoreError> {
        match self.goal.take() {
            Some(key) => self.rows.seek(key),
            None => self.rows.next(),
        }
        self.rows.status().map_err(read_error)?;
        Ok(self.rows.item())
    }

    fn seek(&mut self, key: &[u8]) {
        self.goal = Some(key.to_vec());
    }
}

/// A cursor that could not be opened: says so when it is read.
struct Broken(StoreError);

impl Cursor for Broken {
    fn next(&mut self) -> Result<Option<Row<'_>>, StoreError> {
        Err(self.0.clone())
    }

    fn seek(&mut self, _key: &[u8]) {}
}

impl fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RocksStore({})", self.path.display())
    }
}
