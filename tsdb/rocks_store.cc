#include "tsdb/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>

#include "base/status_macros.h"
#include "base/strings.h"
#include "tsdb/rocks_files.h"
#include "tsdb/rocks_log.h"
#include "tsdb/rocks_options.h"

#define RETURN_IF_BAD(expr, what)                     \
  do {                                                \
    absl::Status converted = Convert((expr), (what)); \
    if (!converted.ok()) return converted;            \
  } while (false)

namespace narthex::tsdb {
namespace {

absl::Status Convert(const rocksdb::Status& s, std::string_view what) {
  if (s.ok()) return absl::OkStatus();
  const std::string text = StrCat(what, ": ", s.ToString());
  if (s.IsNotFound()) return absl::NotFoundError(text);
  if (s.IsCorruption()) return absl::DataLossError(text);
  if (s.IsNoSpace()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

constexpr uint64_t kReserve = 16 << 20;  // two full memtables

rocksdb::Slice ToSlice(std::string_view v) { return {v.data(), v.size()}; }
std::string_view FromSlice(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

class CursorImpl : public Cursor {
 public:
  explicit CursorImpl(rocksdb::Iterator* it) : it_(it) {}
  void Seek(std::string_view key) override { it_->Seek(ToSlice(key)); }
  void Next() override { it_->Next(); }
  bool Valid() const override { return it_->Valid(); }
  std::string_view key() const override { return FromSlice(it_->key()); }
  std::string_view value() const override { return FromSlice(it_->value()); }
  absl::Status status() const override { return Convert(it_->status(), "read stripes"); }

 private:
  std::unique_ptr<rocksdb::Iterator> it_;
};

// RocksDB gathers up to a megabyte before it writes.
rocksdb::EnvOptions SmallBuffers() {
  rocksdb::EnvOptions o;
  o.writable_file_max_buffer_size = 64 << 10;
  return o;
}

class StripeFileImpl : public StripeFile {
 public:
  StripeFileImpl(std::string path, rocksdb::ColumnFamilyHandle* family,
                 const rocksdb::ColumnFamilyOptions& options, rocksdb::Env* env)
      : path_(std::move(path)),
        family_(family),
        env_(env),
        writer_(SmallBuffers(), rocksdb::Options(RocksDbOptions(env), options), family) {}
  ~StripeFileImpl() override {
    if (!ingested_) (void)env_->DeleteFile(path_);
  }
  absl::Status Open() { return Convert(writer_.Open(path_), "write stripes"); }
  absl::Status Add(std::string_view key, std::string_view value) override {
    RETURN_IF_BAD(writer_.Put(ToSlice(key), ToSlice(value)), "write stripes");
    empty_ = false;
    return absl::OkStatus();
  }
  bool empty() const override { return empty_; }
  absl::Status Ingest(rocksdb::DB* db) {
    RETURN_IF_BAD(writer_.Finish(), "write stripes");
    rocksdb::IngestExternalFileOptions o;
    o.move_files = true;
    o.write_global_seqno = false;  // the file is not written to again
    RETURN_IF_BAD(db->IngestExternalFile(family_, {path_}, o), "ingest stripes");
    ingested_ = true;
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  rocksdb::ColumnFamilyHandle* const family_;
  rocksdb::Env* const env_;
  rocksdb::SstFileWriter writer_;
  bool empty_ = true, ingested_ = false;
};

class RocksStoreImpl : public RocksStore {
 public:
  RocksStoreImpl(FileHooks* hooks, Counter* written, const Logger* logger, DamageSink damage)
      : hooks_(hooks),
        damage_(std::move(damage)),
        log_(NewRocksLog(logger, damage_)),
        env_(NewFilesEnv(hooks, written)) {}
  ~RocksStoreImpl() override { CloseDb(); }

  absl::Status Init(const std::string& path) {
    path_ = path;
    std::error_code ec;
    std::filesystem::create_directories(path + "/ingest", ec);
    // A seal that was cut short leaves its file here; it is repeated from the journal.
    for (const auto& f : std::filesystem::directory_iterator(path + "/ingest", ec)) {
      std::error_code ignored;
      std::filesystem::remove(f.path(), ignored);
    }
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, IndexOptions(cache_)},
        {"stripes", HourOptions(cache_)},
        {"days", DayOptions(cache_)}};
    // Without it RocksDB would take the directory for a new one and delete what is in it.
    const bool headless = !std::filesystem::exists(path + "/db/CURRENT", ec) && HasTables(path + "/db");
    absl::Status opened = headless
                              ? absl::DataLossError(StrCat("open store: ", path, "/db/CURRENT is missing"))
                              : OpenDb(families);
    if (!opened.ok() && IsDamage(opened)) {
      // The file that lists the others, or one that every read goes through: it is made anew from what can be
      // read. RocksDB puts what cannot into the folder "lost".
      damage_(StrCat("store repaired: ", opened.message()));
      CloseDb();
      RETURN_IF_BAD(rocksdb::RepairDB(path + "/db", DbOptions(), families, HourOptions(cache_)),
                    "repair store");
      opened = OpenDb(families);
    }
    return opened;
  }

  absl::Status CheckRoom() const override { return CheckRoomFor(kReserve); }

  absl::Status Write(const IndexBatch& batch, bool sync) override {
    // What makes room may use half of the reserve.
    RETURN_IF_ERROR(CheckRoomFor(batch.puts.empty() ? kReserve / 2 : kReserve));
    rocksdb::WriteBatch b;
    for (const auto& [k, v] : batch.puts) RETURN_IF_BAD(b.Put(handles_[0], k, v), "index write");
    for (const std::string& k : batch.deletes) RETURN_IF_BAD(b.Delete(handles_[0], k), "index write");
    rocksdb::WriteOptions w;
    w.sync = sync;
    return Convert(db_->Write(w, &b), "index write");
  }

  absl::StatusOr<std::string> Get(std::string_view key) override {
    std::string value;
    RETURN_IF_BAD(db_->Get(rocksdb::ReadOptions(), handles_[0], ToSlice(key), &value), "index read");
    return value;
  }

  absl::Status Scan(std::string_view prefix, const Visitor& visit) override {
    rocksdb::ReadOptions r;
    r.fill_cache = false;
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(r, handles_[0]));
    std::string last(prefix);
    it->Seek(ToSlice(prefix));
    while (true) {
      for (; it->Valid() && it->key().starts_with(ToSlice(prefix)); it->Next()) {
        last = it->key().ToString();
        if (!visit(FromSlice(it->key()), FromSlice(it->value()))) return absl::OkStatus();
      }
      if (it->status().ok()) return absl::OkStatus();
      if (!it->status().IsCorruption()) return Convert(it->status(), "index scan");
      damage_(StrCat("index range \"", prefix, "\": ", it->status().ToString()));
      if (!StepOver(it.get(), prefix, last)) return absl::OkStatus();
    }
  }

  absl::Status Flush() override {
    RETURN_IF_ERROR(CheckRoom());
    return Convert(db_->Flush(rocksdb::FlushOptions(), handles_[0]), "flush index");
  }
  absl::Status Compact() override {
    RETURN_IF_ERROR(CheckRoom());
    return Convert(db_->CompactRange(rocksdb::CompactRangeOptions(), handles_[0], nullptr, nullptr),
                   "compact index");
  }
  absl::Status Sync() override { return Convert(db_->SyncWAL(), "sync index log"); }
  void Resume() override { (void)db_->Resume(); }

  absl::StatusOr<std::unique_ptr<StripeFile>> NewFile(Family family) override {
    RETURN_IF_ERROR(CheckRoom());
    auto file = std::make_unique<StripeFileImpl>(
        StrCat(path_, "/ingest/", next_file_.fetch_add(1), ".sst"), Handle(family),
        family == Family::kHours ? HourOptions(nullptr) : DayOptions(nullptr), db_->GetEnv());
    absl::Status s = file->Open();
    if (!s.ok()) return s;
    return std::unique_ptr<StripeFile>(std::move(file));
  }

  absl::Status Ingest(std::unique_ptr<StripeFile> file) override {
    if (file->empty()) return absl::OkStatus();
    RETURN_IF_ERROR(CheckRoom());
    return static_cast<StripeFileImpl*>(file.get())->Ingest(db_.get());
  }

  std::unique_ptr<Cursor> NewCursor(Family family, bool keep) override {
    rocksdb::ReadOptions r;
    r.fill_cache = keep;
    return std::make_unique<CursorImpl>(db_->NewIterator(r, Handle(family)));
  }

  absl::Status Drop(Family family, std::string_view begin, std::string_view end) override {
    const rocksdb::Slice b = ToSlice(begin), e = ToSlice(end);
    RETURN_IF_BAD(rocksdb::DeleteFilesInRange(db_.get(), Handle(family), &b, &e, /*include_end=*/false),
                  "drop stripes");
    // A file that reaches past the range is left; its keys in the range are marked.
    std::unique_ptr<Cursor> rest = NewCursor(family, /*keep=*/false);
    rest->Seek(begin);
    if (!rest->Valid() || rest->key() >= end) return rest->status();
    return Convert(db_->DeleteRange(rocksdb::WriteOptions(), Handle(family), b, e), "drop stripes");
  }

  uint64_t Bytes(Family family, std::string_view begin, std::string_view end) override {
    const rocksdb::Range range(ToSlice(begin), ToSlice(end));
    uint64_t size = 0;
    (void)db_->GetApproximateSizes(rocksdb::SizeApproximationOptions(), Handle(family), &range, 1, &size);
    return size;
  }

  Memory MemoryBytes() override {
    Memory out;
    out.caches = static_cast<int64_t>(cache_->GetUsage());
    for (rocksdb::ColumnFamilyHandle* family : handles_) {
      for (const std::string& what :
           {rocksdb::DB::Properties::kSizeAllMemTables, rocksdb::DB::Properties::kEstimateTableReadersMem}) {
        uint64_t bytes = 0;
        if (db_->GetIntProperty(family, what, &bytes)) out.buffers += static_cast<int64_t>(bytes);
      }
    }
    return out;
  }

  void ShrinkTo(size_t caches, size_t buffers) override {
    cache_->SetCapacity(std::min(caches, kBlockCacheBytes));
    uint64_t bytes = 0;
    if (!db_->GetIntProperty(handles_[0], rocksdb::DB::Properties::kCurSizeActiveMemTable, &bytes)) return;
    if (bytes > buffers) (void)Flush();
  }

  absl::Status Checkpoint(const std::string& path) override {
    rocksdb::Checkpoint* raw = nullptr;
    RETURN_IF_BAD(rocksdb::Checkpoint::Create(db_.get(), &raw), "snapshot");
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    return Convert(checkpoint->CreateCheckpoint(path), "snapshot");
  }

 private:
  // RocksDB does not get over a write of its log that failed (Debian's build ends the process): it is not
  // tried on a disk that is nearly full.
  absl::Status CheckRoomFor(uint64_t bytes) const {
    uint64_t left = UINT64_MAX;
    if (hooks_ != nullptr) {
      left = hooks_->FreeBytes();
    } else {
      std::error_code ec;
      const std::filesystem::space_info space = std::filesystem::space(path_, ec);
      if (!ec) left = space.available;
    }
    if (left >= bytes) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        StrCat("write ", path_, ": No space left on device (", left, " bytes)"));
  }

  static bool HasTables(const std::string& directory) {
    std::error_code ec;
    for (const auto& f : std::filesystem::directory_iterator(directory, ec)) {
      const std::string extension = f.path().extension().string();
      if (extension == ".sst" || extension == ".log") return true;
    }
    return false;
  }

  static bool IsDamage(const absl::Status& s) { return absl::IsDataLoss(s) || absl::IsNotFound(s); }

  absl::Status OpenDb(const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
    std::error_code error;
    std::filesystem::create_directories(path_ + "/db", error);  // RocksDB would log its absence as an error
    rocksdb::DB* db = nullptr;
    const rocksdb::Status s = rocksdb::DB::Open(DbOptions(), path_ + "/db", families, &handles_, &db);
    if (!s.ok()) {
      // A list that names files which are not there is damage, too.
      const bool damage = s.IsCorruption() || s.IsPathNotFound() || s.IsNotFound() || s.IsInvalidArgument();
      return damage ? absl::DataLossError(StrCat("open store: ", s.ToString())) : Convert(s, "open store");
    }
    db_.reset(db);
    for (const Family family : {Family::kHours, Family::kDays}) {
      std::unique_ptr<Cursor> all = NewCursor(family, /*keep=*/false);
      all->Seek("");
      RETURN_IF_ERROR(all->status());
    }
    return absl::OkStatus();
  }

  rocksdb::DBOptions DbOptions() const {
    rocksdb::DBOptions o = RocksDbOptions(env_.get());
    o.info_log = log_;
    return o;
  }

  void CloseDb() {
    if (db_ == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* h : handles_) (void)db_->DestroyColumnFamilyHandle(h);
    handles_.clear();
    (void)db_->Close();
    db_.reset();
  }

  // Puts the iterator to the first key behind a bad block. Keys end in numbers: distances are doubled until
  // one leads out of the block, then halved. False if nothing with the prefix follows.
  static bool StepOver(rocksdb::Iterator* it, std::string_view prefix, const std::string& last) {
    std::string from = last;
    if (from.size() < prefix.size() + 4) from.resize(prefix.size() + 4, '\0');
    const auto seek = [&](uint64_t distance) {
      std::string key = from;
      for (size_t i = key.size(); i-- > prefix.size() && distance > 0; distance >>= 8) {
        const uint64_t sum = static_cast<uint8_t>(key[i]) + (distance & 0xff);
        key[i] = static_cast<char>(sum);
        distance += (sum >> 8) << 8;
      }
      it->Seek(key);
      return it->status().ok();
    };
    const uint64_t most = uint64_t{1} << std::min<size_t>(62, 8 * (from.size() - prefix.size()) - 1);
    uint64_t good = 1;
    while (good < most && !seek(good)) good *= 2;
    for (uint64_t bad = good / 2; good - bad > 1;) {
      const uint64_t middle = bad + (good - bad) / 2;
      (seek(middle) ? good : bad) = middle;
    }
    return seek(good) && it->Valid() && it->key().starts_with(ToSlice(prefix));
  }

  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return handles_[family == Family::kHours ? 1 : 2];
  }

  FileHooks* const hooks_;
  const DamageSink damage_;
  const std::shared_ptr<rocksdb::Logger> log_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::string path_;
  const std::shared_ptr<rocksdb::Cache> cache_ = NewBlockCache();
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::atomic<uint64_t> next_file_{1};
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& path, FileHooks* hooks,
                                                             Counter* written, const Logger* logger,
                                                             DamageSink damage) {
  auto store = std::make_unique<RocksStoreImpl>(hooks, written, logger, std::move(damage));
  absl::Status s = store->Init(path);
  if (!s.ok()) return s;
  return std::unique_ptr<RocksStore>(std::move(store));
}

}  // namespace narthex::tsdb
