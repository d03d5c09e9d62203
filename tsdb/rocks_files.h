// RocksDB's files under FileHooks. Included by rocks_*.cc only.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "tsdb/file_hooks.h"

namespace narthex::tsdb {

// The machine's files, each change told to the hooks first.
std::unique_ptr<rocksdb::Env> NewHookedEnv(FileHooks* hooks);

}  // namespace narthex::tsdb
