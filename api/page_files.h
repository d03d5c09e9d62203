// The files of the built-in page, as they stand in the program.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace narthex::api {

struct PageFile {
  std::string_view name;  // below web/dist, e.g. assets/main-1a2b3c4d.js
  std::string_view content_type;
  std::string_view etag;  // without quotes
  size_t plain_size = 0;
  std::string_view gzip;
};

// Sorted by name. Defined in a source that tools/embed_page.py makes during the build.
std::span<const PageFile> PageFiles();

}  // namespace narthex::api
