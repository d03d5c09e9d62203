#include "tsdb/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>

#include "base/strings.h"
#include "tsdb/rocks_files.h"
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

class StripeFileImpl : public StripeFile {
 public:
  StripeFileImpl(std::string path, rocksdb::ColumnFamilyHandle* family, rocksdb::Env* env)
      : path_(std::move(path)),
        family_(family),
        env_(env),
        writer_(rocksdb::EnvOptions(), rocksdb::Options(RocksDbOptions(env), StripeOptions()), family) {}
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
  absl::StatusOr<uint64_t> Ingest(rocksdb::DB* db) {
    rocksdb::ExternalSstFileInfo info;
    RETURN_IF_BAD(writer_.Finish(&info), "write stripes");
    rocksdb::IngestExternalFileOptions o;
    o.move_files = true;
    o.write_global_seqno = false;  // the file is not written to again
    RETURN_IF_BAD(db->IngestExternalFile(family_, {path_}, o), "ingest stripes");
    ingested_ = true;
    return info.file_size;
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
  explicit RocksStoreImpl(FileHooks* hooks) {
    if (hooks != nullptr) hooked_ = NewHookedEnv(hooks);
  }
  ~RocksStoreImpl() override {
    if (db_ == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* h : handles_) (void)db_->DestroyColumnFamilyHandle(h);
    (void)db_->Close();
  }

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
        {rocksdb::kDefaultColumnFamilyName, IndexOptions()},
        {"stripes", StripeOptions()},
        {"days", StripeOptions()}};
    rocksdb::DB* db = nullptr;
    RETURN_IF_BAD(rocksdb::DB::Open(RocksDbOptions(hooked_.get()), path + "/db", families, &handles_, &db),
                  "open store");
    db_.reset(db);
    return absl::OkStatus();
  }

  absl::Status Write(const IndexBatch& batch, bool sync) override {
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
    for (it->Seek(ToSlice(prefix)); it->Valid() && it->key().starts_with(ToSlice(prefix)); it->Next()) {
      if (!visit(FromSlice(it->key()), FromSlice(it->value()))) break;
    }
    return Convert(it->status(), "index scan");
  }

  absl::Status Sync() override { return Convert(db_->SyncWAL(), "sync index log"); }
  void Resume() override { (void)db_->Resume(); }

  absl::StatusOr<std::unique_ptr<StripeFile>> NewFile(Family family) override {
    auto file = std::make_unique<StripeFileImpl>(StrCat(path_, "/ingest/", next_file_.fetch_add(1), ".sst"),
                                                 Handle(family), db_->GetEnv());
    absl::Status s = file->Open();
    if (!s.ok()) return s;
    return std::unique_ptr<StripeFile>(std::move(file));
  }

  absl::StatusOr<uint64_t> Ingest(std::unique_ptr<StripeFile> file) override {
    if (file->empty()) return uint64_t{0};
    return static_cast<StripeFileImpl*>(file.get())->Ingest(db_.get());
  }

  std::unique_ptr<Cursor> NewCursor(Family family) override {
    rocksdb::ReadOptions r;
    r.fill_cache = false;
    return std::make_unique<CursorImpl>(db_->NewIterator(r, Handle(family)));
  }

  absl::Status Drop(Family family, std::string_view begin, std::string_view end) override {
    const rocksdb::Slice b = ToSlice(begin), e = ToSlice(end);
    RETURN_IF_BAD(rocksdb::DeleteFilesInRange(db_.get(), Handle(family), &b, &e, /*include_end=*/false),
                  "drop stripes");
    // A file that reaches past the range is left; its keys in the range are marked.
    std::unique_ptr<Cursor> rest = NewCursor(family);
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

  absl::Status Checkpoint(const std::string& path) override {
    rocksdb::Checkpoint* raw = nullptr;
    RETURN_IF_BAD(rocksdb::Checkpoint::Create(db_.get(), &raw), "snapshot");
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    return Convert(checkpoint->CreateCheckpoint(path), "snapshot");
  }

 private:
  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return handles_[family == Family::kHours ? 1 : 2];
  }

  std::string path_;
  std::unique_ptr<rocksdb::Env> hooked_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::atomic<uint64_t> next_file_{1};
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& path, FileHooks* hooks) {
  auto store = std::make_unique<RocksStoreImpl>(hooks);
  absl::Status s = store->Init(path);
  if (!s.ok()) return s;
  return std::unique_ptr<RocksStore>(std::move(store));
}

}  // namespace narthex::tsdb
