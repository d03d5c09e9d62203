#include "base/code_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace narthex {
namespace {

using Ranges = std::vector<std::pair<void*, size_t>>;

void Release(std::span<const std::pair<void*, size_t>> ranges) {
  // If it fails, all is as it was.
  for (const auto& [begin, size] : ranges) (void)madvise(begin, size, MADV_DONTNEED);
}

int AddObject(dl_phdr_info* object, size_t, void* ranges) {
  auto* const all = static_cast<Ranges*>(ranges);
  const size_t before = all->size();
  const std::string_view name = object->dlpi_name == nullptr ? "" : object->dlpi_name;
  if (name.starts_with("linux-vdso")) return 0;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    // What was never writable is as the file has it. (Relocated data is write-protected, but not of these.)
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr + page - 1) / page * page;
    const uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) / page * page;
    if (begin < end) all->emplace_back(reinterpret_cast<void*>(begin), end - begin);
  }
  // Not behind all objects: what is read here is the first page of each, and comes with its neighbours.
  Release(std::span(*all).subspan(before));
  return 0;
}

}  // namespace

CodePages::CodePages() { dl_iterate_phdr(&AddObject, &ranges_); }

void CodePages::Release() const { narthex::Release(ranges_); }

void ReleaseUnusedCode() { CodePages(); }

}  // namespace narthex
