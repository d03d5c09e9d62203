// The endpoints of the built-in page (docs/page.md).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "api/call.h"
#include "api/page_files.h"

namespace narthex::api {

absl::Status Page(Call& call);       // any path of the page: index.html
absl::Status PageAsset(Call& call);  // /assets/:name, /favicon.svg
absl::Status QueryPlan(Call& call);  // /api/v1/query_plan

std::string EscapeHtml(std::string_view text);

}  // namespace narthex::api
