#include "tsdb/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>

#include "base/strings.h"
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

class RocksStoreImpl : public RocksStore {
 public:
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
        {rocksdb::kDefaultColumnFamilyName, IndexOptions()}, {"stripes", StripeOptions()}};
    rocksdb::DB* db = nullptr;
    RETURN_IF_BAD(rocksdb::DB::Open(RocksDbOptions(), path + "/db", families, &handles_, &db), "open store");
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

  absl::StatusOr<uint64_t> Ingest(const std::map<std::string, std::string>& stripes) override {
    if (stripes.empty()) return uint64_t{0};
    const std::string file = StrCat(path_, "/ingest/", next_file_.fetch_add(1), ".sst");
    rocksdb::Options options(RocksDbOptions(), StripeOptions());
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options, handles_[1]);
    RETURN_IF_BAD(writer.Open(file), "write stripes");
    for (const auto& [k, v] : stripes) RETURN_IF_BAD(writer.Put(k, v), "write stripes");
    rocksdb::ExternalSstFileInfo info;
    RETURN_IF_BAD(writer.Finish(&info), "write stripes");
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    RETURN_IF_BAD(db_->IngestExternalFile(handles_[1], {file}, ingest), "ingest stripes");
    return info.file_size;
  }

  absl::Status GetStripe(std::string_view key, std::string* value) override {
    return Convert(db_->Get(rocksdb::ReadOptions(), handles_[1], ToSlice(key), value), "read stripe");
  }

  absl::Status ScanStripes(std::string_view begin, std::string_view end, const Visitor& visit) override {
    rocksdb::ReadOptions r;
    r.fill_cache = false;
    const rocksdb::Slice bound = ToSlice(end);
    if (!end.empty()) r.iterate_upper_bound = &bound;
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(r, handles_[1]));
    for (it->Seek(ToSlice(begin)); it->Valid(); it->Next()) {
      if (!visit(FromSlice(it->key()), FromSlice(it->value()))) break;
    }
    return Convert(it->status(), "scan stripes");
  }

  absl::Status DropStripes(std::string_view begin, std::string_view end) override {
    const rocksdb::Slice b = ToSlice(begin), e = ToSlice(end);
    RETURN_IF_BAD(rocksdb::DeleteFilesInRange(db_.get(), handles_[1], &b, &e, /*include_end=*/false),
                  "drop stripes");
    return Convert(db_->DeleteRange(rocksdb::WriteOptions(), handles_[1], b, e), "drop stripes");
  }

  absl::Status DeleteStripe(std::string_view key) override {
    return Convert(db_->Delete(rocksdb::WriteOptions(), handles_[1], ToSlice(key)), "delete stripe");
  }

  uint64_t StripeBytes(std::string_view begin, std::string_view end) override {
    const rocksdb::Range range(ToSlice(begin), ToSlice(end));
    uint64_t size = 0;
    (void)db_->GetApproximateSizes(rocksdb::SizeApproximationOptions(), handles_[1], &range, 1, &size);
    return size;
  }

  absl::Status Checkpoint(const std::string& path) override {
    rocksdb::Checkpoint* raw = nullptr;
    RETURN_IF_BAD(rocksdb::Checkpoint::Create(db_.get(), &raw), "snapshot");
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    return Convert(checkpoint->CreateCheckpoint(path), "snapshot");
  }

 private:
  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::atomic<uint64_t> next_file_{1};
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& path) {
  auto store = std::make_unique<RocksStoreImpl>();
  absl::Status s = store->Init(path);
  if (!s.ok()) return s;
  return std::unique_ptr<RocksStore>(std::move(store));
}

}  // namespace narthex::tsdb
