// /user/...: the files of --web.user-assets. Regular files only; no folder is listed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "api/call.h"
#include "api/respond.h"
#include "base/http_response.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/vnd.microsoft.icon"},
    {".pdf", "application/pdf"},
    {".wasm", "application/wasm"},
    {".xml", "text/xml; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"}};

std::string_view TypeOf(std::string_view name) {
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

// The router has taken "." and ".." out of the path as it was sent; what an escape hides is refused here.
bool IsSafe(const std::string& path) {
  if (path.find('\0') != path.npos || path.find('\\') != path.npos) return false;
  for (absl::string_view segment : absl::StrSplit(path, '/')) {
    if (segment == "." || segment == "..") return false;
  }
  return true;
}

class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ >= 0 && (fstat(fd_, &info_) != 0 || !S_ISREG(info_.st_mode))) Close();
  }
  ~File() { Close(); }
  File(const File&) = delete;
  bool ok() const { return fd_ >= 0; }
  int64_t modified_ms() const { return int64_t{info_.st_mtim.tv_sec} * 1000; }
  // "" at the end, or when the disk fails.
  std::string Read() {
    std::string piece(kPieceBytes, '\0');
    ssize_t got = read(fd_, piece.data(), piece.size());
    piece.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return piece;
  }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_;
  struct stat info_ {};
};

}  // namespace

absl::Status UserAsset(Call& call) {
  const std::string& folder = call.options.user_assets;
  std::string path = call.path_argument;
  if (path.empty() || path.ends_with("/")) path += "index.html";
  File file(folder.empty() || !IsSafe(path) ? "" : StrCat(folder, "/", path));
  if (!file.ok()) {
    SendPlainError(404, "404 page not found", call.out);
    return absl::OkStatus();
  }
  std::string modified = HttpDate(file.modified_ms());
  call.out->SetHeader("Last-Modified", modified);
  if (call.request.Header("if-modified-since") == modified) {
    call.out->Send(304, "", "");
    return absl::OkStatus();
  }
  std::string piece = file.Read();
  if (piece.size() < kPieceBytes) {
    call.out->Send(200, TypeOf(path), std::move(piece));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(call.out->Start(200, TypeOf(path)));
  for (; !piece.empty(); piece = file.Read()) RETURN_IF_ERROR(call.out->Write(piece));
  return absl::OkStatus();
}

}  // namespace narthex::api
