// The built-in page: index.html for each of its paths, and the hashed files that it loads. All of them are in
// the program (page_files.h): a request names an entry of a table, never a file on the disk.
#include "api/page.h"

#include <zlib.h>

#include <string>

#include "api/respond.h"
#include "base/strings.h"

namespace narthex::api {
namespace {

constexpr std::string_view kIndex = "index.html", kTitle = "<title>Narthex</title>";
// What --web.page-title is if nobody gave it: then the page is called by its own name.
constexpr std::string_view kDefaultTitle = "Prometheus Time Series Collection and Processing Server";

// Nothing is loaded from elsewhere, and no script or style stands in the page itself. The icon in a style
// sheet is a data URL.
constexpr std::string_view kSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const PageFile* FindFile(std::string_view name) {
  for (const PageFile& file : PageFiles()) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

std::string Unpack(const PageFile& file) {
  std::string plain(file.plain_size, '\0');
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.gzip.data()));
  stream.avail_in = static_cast<uInt>(file.gzip.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  return plain;
}

bool AcceptsGzip(const HttpRequest& request) {
  std::string_view accept = request.Header("accept-encoding");
  size_t at = accept.find("gzip");
  return at != accept.npos && !accept.substr(at).starts_with("gzip;q=0");
}

void SetSafetyHeaders(HttpResponseWriter* out) {
  out->SetHeader("Content-Security-Policy", kSecurityPolicy);
  out->SetHeader("X-Content-Type-Options", "nosniff");
  out->SetHeader("Referrer-Policy", "same-origin");
}

// True if the client has these bytes already; then it is told so.
bool AnswerNotModified(const Call& call, const std::string& etag) {
  std::string_view known = call.request.Header("if-none-match");
  if (known != "*" && known.find(etag) == known.npos) return false;
  call.out->Send(304, "", "");
  return true;
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&#34;";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// The HTML names its files relative to itself, so that it works behind a proxy that adds or takes path
// segments.
absl::Status Page(Call& call) {
  const PageFile* file = FindFile(kIndex);
  if (file == nullptr) return absl::InternalError("the program was built without its page");
  std::string html = Unpack(*file), etag = StrCat("\"", file->etag, "\"");
  if (const std::string& title = call.options.page_title; !title.empty() && title != kDefaultTitle) {
    std::string escaped = EscapeHtml(title);
    etag = StrCat("\"", file->etag, "-", std::hash<std::string>()(title), "\"");
    if (size_t at = html.find(kTitle); at != html.npos) {
      html.replace(at, kTitle.size(), StrCat("<title>", escaped, "</title>"));
    }
  }
  SetSafetyHeaders(call.out);
  call.out->SetHeader("Cache-Control", "no-cache");
  call.out->SetHeader("ETag", etag);
  if (AnswerNotModified(call, etag)) return absl::OkStatus();
  call.out->Send(200, file->content_type, std::move(html));
  return absl::OkStatus();
}

absl::Status PageAsset(Call& call) {
  bool hashed = !call.path_argument.empty();
  const PageFile* file = FindFile(hashed ? StrCat("assets/", call.path_argument) : "favicon.svg");
  if (file == nullptr) {
    SendPlainError(404, "404 page not found", call.out);
    return absl::OkStatus();
  }
  std::string etag = StrCat("\"", file->etag, "\"");
  SetSafetyHeaders(call.out);
  // The name of an asset holds a hash of its bytes: it never changes.
  call.out->SetHeader("Cache-Control",
                      hashed ? "public, max-age=31536000, immutable" : "public, max-age=3600");
  call.out->SetHeader("ETag", etag);
  if (AnswerNotModified(call, etag)) return absl::OkStatus();
  if (AcceptsGzip(call.request)) {
    call.out->SetHeader("Content-Encoding", "gzip");
    call.out->Send(200, file->content_type, std::string(file->gzip));
  } else {
    call.out->Send(200, file->content_type, Unpack(*file));
  }
  return absl::OkStatus();
}

}  // namespace narthex::api
