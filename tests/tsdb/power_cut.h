// A disk that loses power: of what was written and not synced, some is lost, some torn, some kept out of
// order.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tsdb/file_hooks.h"

namespace narthex::tsdb {

// Follows the store's files from an empty directory on. Thread-safe.
class PowerCut : public FileHooks {
 public:
  // What the disk under `root` may hold if the power goes now, written to `target`. Nothing of `root` is
  // touched.
  void Image(const std::filesystem::path& root, const std::filesystem::path& target, uint64_t seed) {
    MutexLock lock(&mutex_);
    std::mt19937_64 random(seed);
    // Changes of names keep their order within a directory.
    std::map<std::string, size_t> kept;
    for (const auto& [directory, changes] : pending_names_) kept[directory] = random() % (changes.size() + 1);
    std::map<std::string, InodePtr> names = durable_names_;
    std::map<std::string, size_t> done;
    for (const auto& [directory, change] : name_order_) {
      if (done[directory]++ < kept[directory]) change.Apply(&names);
    }
    for (const auto& f : std::filesystem::recursive_directory_iterator(root)) {
      if (f.is_directory()) std::filesystem::create_directories(target / f.path().lexically_relative(root));
    }
    for (const auto& [path, inode] : names) {
      const std::filesystem::path relative = std::filesystem::path(path).lexically_relative(root);
      if (relative.empty() || relative.native().starts_with("..")) continue;
      std::filesystem::create_directories((target / relative).parent_path());
      std::ofstream(target / relative, std::ios::binary) << inode->Survive(&random);
    }
  }
  // From here on writes fail as on a full disk, until `left` is raised.
  void SetSpace(int64_t left) {
    MutexLock lock(&mutex_);
    space_ = left;
  }
  void SetSyncFails(bool fails) {
    MutexLock lock(&mutex_);
    sync_fails_ = fails;
  }
  int64_t refused() const {
    MutexLock lock(&mutex_);
    return refused_;
  }

  uint64_t FreeBytes() const override {
    MutexLock lock(&mutex_);
    return static_cast<uint64_t>(std::max<int64_t>(0, space_));
  }
  absl::Status Create(const std::string& path) override {
    MutexLock lock(&mutex_);
    if (space_ <= 0) return Full(path);
    return Change(path, {NameChange::kSet, path, "", std::make_shared<Inode>()});
  }
  absl::Status Write(const std::string& path, uint64_t offset, std::string_view bytes) override {
    MutexLock lock(&mutex_);
    if (static_cast<int64_t>(bytes.size()) > space_) return Full(path);
    if (space_ != INT64_MAX) space_ -= static_cast<int64_t>(bytes.size());
    At(path)->pending.push_back({offset, std::string(bytes), SIZE_MAX});
    return absl::OkStatus();
  }
  absl::Status Extend(const std::string& path, uint64_t size) override {
    MutexLock lock(&mutex_);
    if (space_ < 4 << 20) return Full(path);
    At(path)->pending.push_back({size, "", SIZE_MAX});
    return absl::OkStatus();
  }
  absl::Status Truncate(const std::string& path, uint64_t size) override {
    MutexLock lock(&mutex_);
    At(path)->pending.push_back({0, "", size});
    return absl::OkStatus();
  }
  absl::Status Sync(const std::string& path) override {
    MutexLock lock(&mutex_);
    if (sync_fails_) return absl::InternalError("sync " + path + ": Input/output error");
    At(path)->Sync();
    return absl::OkStatus();
  }
  absl::Status SyncDirectory(const std::string& raw) override {
    MutexLock lock(&mutex_);
    const std::string path = Plain(raw);
    for (auto it = name_order_.begin(); it != name_order_.end();) {
      if (it->first != path) {
        ++it;
        continue;
      }
      it->second.Apply(&durable_names_);
      it = name_order_.erase(it);
    }
    pending_names_.erase(path);
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    MutexLock lock(&mutex_);
    return Change(to, {NameChange::kMove, to, Plain(from), At(from)});
  }
  absl::Status Link(const std::string& from, const std::string& to) override {
    MutexLock lock(&mutex_);
    return Change(to, {NameChange::kSet, to, "", At(from)});
  }
  absl::Status Remove(const std::string& path) override {
    MutexLock lock(&mutex_);
    return Change(path, {NameChange::kRemove, path, "", nullptr});
  }

 private:
  struct Pending {
    uint64_t offset = 0;  // of the bytes; without bytes: the size to extend to
    std::string bytes;
    size_t cut = SIZE_MAX;
  };
  struct Inode {
    std::string durable;
    std::vector<Pending> pending;
    static void Apply(const Pending& p, std::string* to) {
      if (p.cut != SIZE_MAX) return to->resize(p.cut);
      if (to->size() < p.offset + p.bytes.size()) to->resize(p.offset + p.bytes.size(), '\0');
      to->replace(p.offset, p.bytes.size(), p.bytes);
    }
    void Sync() {
      for (const Pending& p : pending) Apply(p, &durable);
      pending.clear();
    }
    std::string Survive(std::mt19937_64* random) const {
      std::string out = durable;
      constexpr size_t kSector = 512;
      const uint64_t mood = (*random)() % 4;  // nothing, all, or any of it
      for (const Pending& p : pending) {
        if (mood == 0 || (mood > 1 && (*random)() % 2 == 0)) continue;
        if (mood == 1 || p.bytes.empty()) {
          Apply(p, &out);
          continue;
        }
        // Sector by sector.
        for (size_t at = 0; at < p.bytes.size();) {
          const size_t n = std::min(p.bytes.size() - at, kSector - (p.offset + at) % kSector);
          if ((*random)() % 4 != 0) Apply({p.offset + at, p.bytes.substr(at, n), SIZE_MAX}, &out);
          at += n;
        }
      }
      return out;
    }
  };
  using InodePtr = std::shared_ptr<Inode>;
  struct NameChange {
    enum Kind { kSet, kMove, kRemove } kind = kSet;
    std::string name, from;
    InodePtr inode;
    void Apply(std::map<std::string, InodePtr>* names) const {
      if (kind == kRemove) {
        names->erase(name);
        return;
      }
      (*names)[name] = inode;
      if (kind == kMove) names->erase(from);
    }
  };

  static std::string Plain(const std::string& path) {
    std::string out = std::filesystem::path(path).lexically_normal().string();
    while (out.size() > 1 && out.back() == '/') out.pop_back();
    return out;
  }
  absl::Status Full(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++refused_;
    return absl::ResourceExhaustedError("write " + path + ": No space left on device");
  }
  InodePtr At(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    InodePtr& inode = names_[Plain(path)];
    if (inode == nullptr) inode = std::make_shared<Inode>();
    return inode;
  }
  absl::Status Change(const std::string& path, NameChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    change.name = Plain(change.name);
    const std::string directory = std::filesystem::path(Plain(path)).parent_path().string();
    change.Apply(&names_);
    ++pending_names_[directory].count;
    name_order_.emplace_back(directory, std::move(change));
    return absl::OkStatus();
  }

  struct Count {
    size_t count = 0;
    size_t size() const { return count; }
  };
  mutable Mutex mutex_;
  std::map<std::string, InodePtr> names_ ABSL_GUARDED_BY(mutex_), durable_names_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, NameChange>> name_order_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Count> pending_names_ ABSL_GUARDED_BY(mutex_);
  int64_t space_ ABSL_GUARDED_BY(mutex_) = INT64_MAX;
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  bool sync_fails_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace narthex::tsdb
