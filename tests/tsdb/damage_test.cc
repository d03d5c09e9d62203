// Flipped bits in every kind of file, and files that are gone: what is damaged is found, counted, logged and
// left out; the rest is served, and the store goes on.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include "tests/tsdb/db_fixture.h"
#include "tests/tsdb/workload.h"

namespace narthex::tsdb {
namespace {

const Labels kDeleted{{"__name__", "deleted"}};
const Labels kTraced{{"__name__", "traced"}};

class DamageTest : public DbTest {
 protected:
  DamageTest()
      : counting_(LogLevel::kWarn, LogFormat::kLogfmt, &clock_, [this](std::string_view) { ++lines_; }) {}

  Options WorkOptions(const std::string& name) {
    Options o = MakeOptions(name);
    o.window_ms = 60'000;
    o.logger = &counting_;
    return o;
  }
  std::unique_ptr<Db> OpenWork(const std::string& name) {
    auto db = Db::Open(WorkOptions(name));
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? std::move(*db) : nullptr;
  }
  static void AddTraced(Db* db, int64_t t) {
    auto group = *db->OpenGroup({{"job", "traced"}});
    const Slot slot = *group->AddSeries(kTraced), deleted = *group->AddSeries(kDeleted);
    group->Begin(t);
    group->Set(slot, 1);
    group->Set(deleted, 2);
    group->AddExemplar(slot, {Labels({{"trace", std::to_string(t)}}), 3, t, true});
    ASSERT_TRUE(group->Commit().ok());
  }
  // A directory with everything in it: journal, index rows of all kinds, sealed windows, merged days,
  // exemplars in the index and in the journal, deleted samples.
  void Build(const std::string& name) {
    const Workload work(21, kStart);
    Model model;
    auto db = OpenWork(name);
    Driver driver(db.get(), &clock_);
    for (int i = 0; i < 650; ++i) {
      const Step s = work.At(i);
      if (s.kind == Step::kDelete || s.kind == Step::kClean) continue;
      ASSERT_TRUE(driver.Do(s).ok());
      model.Apply(s);
      if (i % 130 == 0) {
        AddTraced(db.get(), s.t);
        traced_.insert(s.t);
      }
    }
    ASSERT_TRUE(db->DeleteSeries({Matcher::Equal("__name__", "deleted")}, INT64_MIN / 2, INT64_MAX).ok());
    want_ = model.content();
    for (const auto& [labels, cells] : want_) total_ += cells.size();
  }
  double Counter(const std::string& name) {
    const std::string text = metrics_.Expose();
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::atof(text.c_str() + at + name.size() + 2);
  }
  double Found() {
    return Counter("prometheus_tsdb_wal_corruptions_total") +
           Counter("narthex_storage_corrupt_stripes_total") + Counter("narthex_storage_damaged_ranges_total");
  }
  // Whether all in the store is as it was written; how much of it is missing, or deleted and back again.
  std::string Wrong(const Db& db, size_t* missing) {
    Content got = ReadContent(db);
    *missing = got.erase(kDeleted.ToString());
    got.erase(kTraced.ToString());
    for (const auto& [labels, cells] : want_) {
      const auto it = got.find(labels);
      for (const auto& [t, cell] : cells) *missing += it == got.end() || !it->second.contains(t) ? 1 : 0;
    }
    for (const auto& [labels, cells] : got) {
      const auto it = want_.find(labels);
      for (const auto& [t, cell] : cells) {
        if (it == want_.end() || !it->second.contains(t) || it->second.at(t) != cell)
          return labels + " at " + std::to_string(t) + ": " + cell;
      }
    }
    size_t found = 0;
    const auto exemplars =
        *db.SelectExemplars({{Matcher::Equal("__name__", "traced")}}, INT64_MIN / 2, INT64_MAX / 2);
    for (const ExemplarSeries& s : exemplars) {
      for (const Exemplar& e : s.exemplars) {
        if (!traced_.contains(e.t) || e.value != 3 || e.labels.Get("trace") != std::to_string(e.t))
          return "exemplar";
        ++found;
      }
    }
    *missing += traced_.size() - found;
    return "";
  }
  // Everything of `from` but for one change of a file.
  void Damage(const std::string& from, const std::function<void(const fs::path& copy)>& change) {
    fs::remove_all(root_ / "bad");
    fs::copy(root_ / from, root_ / "bad", fs::copy_options::recursive);
    change(root_ / "bad");
  }
  void CheckDamaged(const std::string& what) {
    const double before = Found();
    const int lines = lines_;
    {
      auto db = OpenWork("bad");
      ASSERT_NE(db, nullptr) << what;
      size_t missing = 0;
      EXPECT_EQ(Wrong(*db, &missing), "") << what;
      if (missing > 0) {
        EXPECT_GT(Found(), before) << what << ": " << missing << " of " << total_ << " missing";
        EXPECT_GT(lines_, lines) << what << ": nothing in the log";
        ++losses_;
      }
      // It goes on.
      const int64_t t = clock_.NowMs() + 1000;
      AddTraced(db.get(), t);
      (void)db->Maintain(true);
    }
    auto db = OpenWork("bad");
    ASSERT_NE(db, nullptr) << what;
  }
  // Bits at `count` places of a file, from its first to its last byte.
  void FlipThrough(const std::string& name, const fs::path& file, uint64_t end, int count) {
    for (int i = 0; i < count; ++i) {
      const uint64_t at = (end - 1) * static_cast<uint64_t>(i) / static_cast<uint64_t>(count - 1);
      Damage(name, [&](const fs::path& copy) {
        std::fstream f(copy / file, std::ios::in | std::ios::out | std::ios::binary);
        f.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(f.get());
        f.seekp(static_cast<std::streamoff>(at));
        f.put(static_cast<char>(byte ^ (1 << (i % 8))));
      });
      ASSERT_NO_FATAL_FAILURE(CheckDamaged(file.string() + " byte " + std::to_string(at)));
    }
  }
  // The files that a name is about, with the length of what is written in them.
  std::vector<std::pair<fs::path, uint64_t>> FilesOf(const std::string& name) {
    std::vector<std::pair<fs::path, uint64_t>> out;
    for (const auto& f : fs::recursive_directory_iterator(root_ / name)) {
      const std::string file = f.path().filename().string();
      // Locks, and notes that nobody reads.
      if (!f.is_regular_file() || file == "lock" || file == "LOCK" || file == "FORMAT" ||
          file == "IDENTITY" || file.starts_with("OPTIONS"))
        continue;
      std::ifstream in(f.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(in)), {});
      bytes.resize(bytes.find_last_not_of('\0') + 1);  // journal segments are allocated ahead
      if (!bytes.empty()) out.emplace_back(f.path().lexically_relative(root_ / name), bytes.size());
    }
    return out;
  }
  int FlipsAFile() {
    const char* const wanted = std::getenv("NARTHEX_FLIPS");
    return wanted != nullptr ? std::atoi(wanted) : 3;
  }

  std::atomic<int> lines_{0};
  Logger counting_;
  Content want_;
  std::set<int64_t> traced_;
  size_t total_ = 0;
  int losses_ = 0;  // changes that cost something
};

TEST_F(DamageTest, AFlippedBitAnywhereIsFoundAndTheRestIsServed) {
  ASSERT_NO_FATAL_FAILURE(Build("whole"));
  std::set<std::string> kinds;
  for (const auto& [file, end] : FilesOf("whole")) {
    kinds.insert(file.parent_path().filename().string() + file.extension().string());
    ASSERT_NO_FATAL_FAILURE(FlipThrough("whole", file, end, FlipsAFile()));
  }
  EXPECT_TRUE(kinds.contains("journal") && kinds.contains("db.sst") && kinds.contains("db.log"));
  EXPECT_GT(losses_, 0);
}

TEST_F(DamageTest, AFlippedBitInTheIndexIsFoundAndTheRestIsServed) {
  ASSERT_NO_FATAL_FAILURE(Build("whole"));
  const auto before = FilesOf("whole");
  OpenWork("whole").reset();  // RocksDB's log becomes a table
  for (const auto& [file, end] : FilesOf("whole")) {
    const bool known =
        std::any_of(before.begin(), before.end(), [&](const auto& f) { return f.first == file; });
    if (known || file.extension() != ".sst") continue;
    ASSERT_NO_FATAL_FAILURE(FlipThrough("whole", file, end, 4 * FlipsAFile()));
  }
  EXPECT_GT(losses_, 0);
}

TEST_F(DamageTest, AListOfFilesThatIsGoneOrBadIsMadeAnew) {
  ASSERT_NO_FATAL_FAILURE(Build("whole"));
  OpenWork("whole").reset();
  fs::path manifest;
  for (const auto& [file, end] : FilesOf("whole"))
    if (file.filename().string().starts_with("MANIFEST")) manifest = file;
  ASSERT_FALSE(manifest.empty());
  const fs::path current = manifest.parent_path() / "CURRENT";
  const auto write = [](const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  };
  const std::vector<std::pair<std::string, std::function<void(const fs::path&)>>> changes = {
      {"no CURRENT", [&](const fs::path& copy) { fs::remove(copy / current); }},
      {"no MANIFEST", [&](const fs::path& copy) { fs::remove(copy / manifest); }},
      {"empty CURRENT", [&](const fs::path& copy) { write(copy / current, ""); }},
      {"CURRENT of another file", [&](const fs::path& copy) { write(copy / current, "MANIFEST-999999\n"); }},
      {"empty MANIFEST", [&](const fs::path& copy) { write(copy / manifest, ""); }},
      {"noise for a MANIFEST", [&](const fs::path& copy) { write(copy / manifest, std::string(3000, 'x')); }},
      {"half a MANIFEST",
       [&](const fs::path& copy) { fs::resize_file(copy / manifest, fs::file_size(copy / manifest) / 2); }},
  };
  for (const auto& [what, change] : changes) {
    Damage("whole", change);
    const double before = Found();
    auto db = OpenWork("bad");
    ASSERT_NE(db, nullptr) << what;
    size_t missing = 0;
    EXPECT_EQ(Wrong(*db, &missing), "") << what;
    EXPECT_EQ(missing, 0u) << what << ": all samples are in files that are whole";
    EXPECT_GT(Found(), before) << what;
  }
}

TEST_F(DamageTest, ATableThatIsGoneCostsItsOwnRange) {
  ASSERT_NO_FATAL_FAILURE(Build("whole"));
  OpenWork("whole").reset();
  for (const auto& [file, end] : FilesOf("whole")) {
    if (file.extension() != ".sst") continue;
    Damage("whole", [&](const fs::path& copy) { fs::remove(copy / file); });
    ASSERT_NO_FATAL_FAILURE(CheckDamaged("no " + file.string()));
    Damage("whole", [&](const fs::path& copy) { fs::resize_file(copy / file, end / 2); });
    ASSERT_NO_FATAL_FAILURE(CheckDamaged("half of " + file.string()));
  }
}

}  // namespace
}  // namespace narthex::tsdb
