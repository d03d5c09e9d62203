#include "base/go_url.h"

#include <gtest/gtest.h>

#include <string>

namespace narthex {
namespace {

TEST(GoUrl, TakesWhatGoTakes) {
  for (const char* url : {"http://a", "https://a:9090/x?y=%zz#f", "http://user:p%20w@[::1]:80/", "a/b", "/x",
                          "", "mailto:x y", "http://\xC3\xA4.example/", "http://a:/", "unix:///run/x.sock"}) {
    EXPECT_TRUE(CheckUrl(url).ok()) << url << ": " << CheckUrl(url);
  }
}

TEST(GoUrl, SaysWhatIsWrongAsGoDoes) {
  const std::pair<const char*, const char*> kCases[] = {
      {"::", "parse \"::\": missing protocol scheme"},
      {"%zz", "parse \"%zz\": invalid URL escape \"%zz\""},
      {"http://x/%z", "parse \"http://x/%z\": invalid URL escape \"%z\""},
      {"http://a b", "parse \"http://a b\": invalid character \" \" in host name"},
      {"http://a:b", "parse \"http://a:b\": invalid port \":b\" after host"},
      {"http://[::1", "parse \"http://[::1\": missing ']' in host"},
      {"1.2.3.4:80", "parse \"1.2.3.4:80\": first path segment in URL cannot contain colon"},
      {"a\nb", "parse \"a\\nb\": net/url: invalid control character in URL"}};
  for (const auto& [url, error] : kCases) EXPECT_EQ(CheckUrl(url).message(), error);
}

}  // namespace
}  // namespace narthex
