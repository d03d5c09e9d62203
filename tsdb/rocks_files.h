// RocksDB's files, counted and under FileHooks. Included by rocks_*.cc only.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "base/metrics.h"
#include "tsdb/file_hooks.h"

namespace narthex::tsdb {

// The machine's files: each change told to the hooks (may be null) first, bytes that are written counted.
std::unique_ptr<rocksdb::Env> NewFilesEnv(FileHooks* hooks, Counter* written);

}  // namespace narthex::tsdb
